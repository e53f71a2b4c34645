"""The one guard of the package: whatever memory meets on a request's way, the request goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from litellm_memory.engine import Outcome
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.hooks.call import Call

logger = logging.getLogger(__name__)


@contextmanager
def guard(failed: str, call: Call | None = None) -> Iterator[None]:
    """Swallows what raises inside and logs one line: ``failed`` and the kind of error, nothing of the request.

    ``call`` is the one whose memory fails with it.
    """
    try:
        yield
    # LiteLLM hands anything to a hook, and turns what a hook raises into a failed request.
    except Exception as error:
        if call is not None:
            call.outcome = Outcome.failed("internal")
        logger.error("%s (%s).", failed, type(error).__name__)
        logger.debug("%s", failed, exc_info=not isinstance(error, LiteLLMMemoryError))
