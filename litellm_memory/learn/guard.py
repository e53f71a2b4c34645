"""The one guard of learning: what goes wrong with somebody's words is handed back, so that it ends nothing else."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

logger = logging.getLogger(__name__)


async def error_of(work: Awaitable[object]) -> Exception | None:
    """The error that ``work`` failed with, its traceback logged at debug level; None when it was done."""
    try:
        await work
    # What people say and models answer is foreign, and any defect may show at it; learning must outlive that.
    except Exception as error:
        logger.debug("Learning failed", exc_info=True)
        return error
    return None
