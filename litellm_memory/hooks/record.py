"""The result of a call: as a row of the ledger, from LiteLLM's report, and as metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from litellm_memory.engine import Outcome
from litellm_memory.hooks.call import Call
from litellm_memory.identity import partition_of
from litellm_memory.ledger import CallRecord, Quality
from litellm_memory.metrics import Noted
from litellm_memory.settings import IdentitySettings

TRUNCATED: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
REFUSED: Final = frozenset({"content_filter", "refusal", "safety", "prohibited_content", "guardrail_intervened"})
"""Finish reasons in lower case, as providers and LiteLLM spell them."""


def record_of(call: Call, report: Mapping[str, Any], settings: IdentitySettings) -> CallRecord | None:
    """The row for a call, from LiteLLM's standard logging object; None when the call belongs to no partition."""
    scope = call.outcome.scope if call.outcome else None
    partition = scope.partition if scope else partition_of(call.caller, settings.partition) if call.caller else None
    if partition is None:
        return None
    failed = report.get("status") == "failure"
    finish_reason = _finish_reason(report.get("response"))
    error = report.get("error_information")
    return CallRecord(
        id=call.id,
        at=_moment(report.get("startTime")) or datetime.now(UTC),
        partition=partition,
        user=scope.user if scope else settings.default_user_id,
        client=scope.client if scope else None,
        project=scope.project if scope else None,
        model_asked=_text(report.get("model_group")),
        model=_text(report.get("model")),
        provider=_text(report.get("custom_llm_provider")),
        kind=call.outcome.kind if call.outcome else None,
        stream=bool(report.get("stream")),
        input_tokens=_count(report.get("prompt_tokens")),
        output_tokens=_count(report.get("completion_tokens")),
        cached_tokens=_cached(report),
        memory_tokens=call.outcome.tokens if call.outcome else 0,
        cost=float(report.get("response_cost") or 0.0),
        latency=_seconds(report, "startTime", "endTime") or 0.0,
        first_token=_seconds(report, "startTime", "completionStartTime") if report.get("stream") else None,
        status="failure" if failed else "success",
        error=_text(error.get("error_class")) if failed and isinstance(error, Mapping) else None,
        retries=max(0, call.failures - failed),
        finish_reason=finish_reason,
        recalled=call.outcome.count if call.outcome else 0,
        quality=None if failed else _quality(report.get("response"), finish_reason),
        message=call.outcome.mark if call.outcome and call.outcome.kind == "person" else None,
        key=partition_of(call.caller, "key") if call.caller and not call.caller.master else None,
    )


def noted_of(call: Call, outcome: Outcome) -> Noted:
    """The metrics of a request whose answer has just ended."""
    return Noted(
        status=outcome.status,
        reason=outcome.reason,
        kind=outcome.kind,
        client=outcome.scope.client if outcome.scope else None,
        tokens=outcome.tokens,
        seconds=time.perf_counter() - call.begun,
        unreadable=outcome.unreadable,
        stages=outcome.stages,
    )


def _moment(stamp: Any) -> datetime | None:
    return datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int | float) and stamp > 0 else None


def _seconds(report: Mapping[str, Any], begin: str, end: str) -> float | None:
    begun, ended = report.get(begin), report.get(end)
    if not isinstance(begun, int | float) or not isinstance(ended, int | float):
        return None
    return max(0.0, float(ended) - float(begun))


def _cached(report: Mapping[str, Any]) -> int:
    metadata = report.get("metadata")
    usage = metadata.get("usage_object") if isinstance(metadata, Mapping) else None
    if not isinstance(usage, Mapping):
        return 0
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return _count(cached or usage.get("cache_read_input_tokens"))


def _finish_reason(response: Any) -> str | None:
    """The finish reason, from any of the response shapes that LiteLLM reports."""
    if not isinstance(response, Mapping):
        return None
    choices, cut = response.get("choices"), response.get("incomplete_details")
    if isinstance(choices, list):
        return _text(choices[0].get("finish_reason")) if choices and isinstance(choices[0], Mapping) else None
    return _text(cut.get("reason")) if isinstance(cut, Mapping) else _text(response.get("stop_reason"))


def _quality(response: Any, finish_reason: str | None) -> Quality | None:
    ended = (finish_reason or "").lower()
    if ended in TRUNCATED:
        return "truncated"
    if ended in REFUSED:
        return "refused"
    return "empty" if _is_empty(response) else None


def _is_empty(response: Any) -> bool:
    """True for an answer in a known shape that has no text, no tool call and nothing else."""
    if not isinstance(response, Mapping):
        return False
    choices = response.get("choices")
    if not isinstance(choices, list):
        # Anthropic's messages and OpenAI's responses.
        parts = response.get("content", response.get("output"))
        return isinstance(parts, list) and not parts
    first = choices[0] if choices and isinstance(choices[0], Mapping) else {}
    message = first.get("message")
    if not isinstance(message, Mapping):
        return "text" in first and not first["text"]
    return not any(message.get(part) for part in ANSWERS)


ANSWERS: Final = ("content", "tool_calls", "function_call", "reasoning_content", "audio", "images", "refusal")


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _text(value: Any) -> str | None:
    return str(value)[:256] if value else None
