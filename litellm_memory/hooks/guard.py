"""The one guard of the package: whatever fails in memory, the request goes on."""

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
    """Swallows any exception raised inside and logs ``failed`` and the error's type, but nothing of the request.

    The outcome of ``call``, if given, becomes a failure.
    """
    try:
        yield
    # LiteLLM may pass anything to a hook, and fails the request when a hook raises.
    except Exception as error:
        if call is not None:
            call.outcome = Outcome.failed("internal")
        logger.error("%s (%s).", failed, type(error).__name__)
        logger.debug("%s", failed, exc_info=not isinstance(error, LiteLLMMemoryError))
