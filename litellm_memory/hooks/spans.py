"""Memory's OpenTelemetry span, a child of LiteLLM's span of the request; none where LiteLLM has no tracing."""

from __future__ import annotations

import logging
import time

from litellm.proxy import proxy_server
from litellm.proxy._types import UserAPIKeyAuth

from litellm_memory.engine import Outcome
from litellm_memory.hooks.call import Call

logger = logging.getLogger(__name__)

NAME = "memory recall"


def add_span(key: UserAPIKeyAuth, call: Call, *, began: int) -> None:
    """Adds a span of what memory did to a request, from ``began`` (nanoseconds since the epoch) until now.

    Its parent is LiteLLM's span of the request, which comes with the verified key; without a parent it adds nothing.
    """
    parent = getattr(key, "parent_otel_span", None)
    if parent is None or call.outcome is None:
        return
    try:
        from opentelemetry.trace import get_tracer, set_span_in_context

        # LiteLLM's tracer is not always the global one.
        tracer = getattr(getattr(proxy_server, "open_telemetry_logger", None), "tracer", None) or get_tracer(__name__)
        span = tracer.start_span(NAME, context=set_span_in_context(parent), start_time=began)
        span.set_attributes(_attributes(call.id, call.outcome))
        span.end(time.time_ns())
    # Any tracer that the operator configured may raise anything; one that always fails must not flood the log.
    except Exception as error:
        logger.debug("A span could not be added (%s)", type(error).__name__)


def _attributes(call: str, outcome: Outcome) -> dict[str, str | int | float]:
    """The span's attributes: labels and numbers, no message text and no user name."""
    known: dict[str, str | int | float | None] = {
        "memory.status": outcome.status,
        "memory.reason": outcome.reason,
        "memory.kind": outcome.kind,
        "memory.client": outcome.scope.client if outcome.scope else None,
        "memory.count": outcome.count,
        "memory.tokens": outcome.tokens,
        "memory.trace": call,
    }
    stages = {f"memory.{stage}_ms": milliseconds for stage, milliseconds in outcome.stages.items()}
    return {**{name: value for name, value in known.items() if value is not None}, **stages}
