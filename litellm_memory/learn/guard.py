"""The guard of learning: an error caused by somebody's words is returned, so that it cannot end the loop."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

logger = logging.getLogger(__name__)


async def error_of(work: Awaitable[object]) -> Exception | None:
    """The error that ``work`` raised, with its traceback logged at debug level; None when it succeeded."""
    try:
        await work
    # What people say and models answer is foreign and may trigger any defect; learning must survive that.
    except Exception as error:
        logger.debug("Learning failed", exc_info=True)
        return error
    return None
