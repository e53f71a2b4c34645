"""Memory's span under LiteLLM's span of the request, where OpenTelemetry is set up in LiteLLM; else nothing."""

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
    """Adds what memory did to a request, from ``began`` (nanoseconds since the epoch) until now.

    It stands under LiteLLM's span of the request, which comes with the verified key; without one nothing is added.
    """
    parent = getattr(key, "parent_otel_span", None)
    if parent is None or call.outcome is None:
        return
    try:
        from opentelemetry.trace import get_tracer, set_span_in_context

        # LiteLLM need not make its tracer the global one.
        tracer = getattr(getattr(proxy_server, "open_telemetry_logger", None), "tracer", None) or get_tracer(__name__)
        span = tracer.start_span(NAME, context=set_span_in_context(parent), start_time=began)
        span.set_attributes(_attributes(call.id, call.outcome))
        span.end(time.time_ns())
    # Tracers are whatever the operator set up; one that fails at every request must not fill the log.
    except Exception as error:
        logger.debug("A span could not be added (%s)", type(error).__name__)


def _attributes(call: str, outcome: Outcome) -> dict[str, str | int | float]:
    """What the span tells: names and numbers, no text and nobody's name."""
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
