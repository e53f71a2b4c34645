"""Whether LiteLLM still calls memory: its UI, its database and its reloads change its lists of callbacks as it runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import litellm
from litellm.constants import MAX_CALLBACKS

from litellm_memory.engine import Health

logger = logging.getLogger(__name__)

GONE = (
    "LiteLLM no longer calls memory: its list of callbacks was replaced. Put litellm_memory.handler under "
    "litellm_settings.callbacks, also where callbacks are kept in LiteLLM's database, and restart."
)
TWICE = (
    "Two copies of litellm_memory are loaded, and requests go through both: name it litellm_memory.handler everywhere "
    "and keep one installation."
)
FULL = "LiteLLM's list of callbacks is full and memory is not in it: set LITELLM_MAX_CALLBACKS higher, or remove some."


def trouble(handler: Any, callbacks: Sequence[Any], loggers: Sequence[Any], *, most: int) -> str | None:
    """Why LiteLLM does not call ``handler`` as it should, with what to do; None when it does.

    ``callbacks`` are LiteLLM's for requests and ``loggers`` those for what succeeded, of which it takes ``most``.
    """
    kind = type(handler).__name__
    if any(type(one).__name__ == kind and one is not handler for one in callbacks):
        return TWICE
    if not any(one is handler for one in callbacks):
        return FULL if len(callbacks) >= most else GONE
    if len(loggers) >= most and not any(one is handler for one in loggers):
        return FULL
    return None


class Listed:
    """Looks whether the handler is listed, and says in the log when that changes."""

    def __init__(self, handler: Any, health: Health) -> None:
        self._handler = handler
        self._health = health
        self._seen = False

    def look(self) -> None:
        """Tells ``/ready``, the metric and the log. Nothing before LiteLLM has listed the handler a first time."""
        told = trouble(self._handler, litellm.callbacks, litellm._async_success_callback, most=MAX_CALLBACKS)
        self._seen = self._seen or told is None or told == TWICE
        if not self._seen or told == self._health.callbacks:
            return
        self._health.callbacks = told
        if told is None:
            logger.warning("LiteLLM calls memory again.")
        else:
            logger.error("%s", told)
