"""Prometheus metrics: requests, what memory did to them, what calls cost, what was learned.

They are in the registry that LiteLLM's own ``/metrics`` serves. No label contains a user, a key or a text.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from litellm_memory.ledger import CallRecord, Figure, Figures, LedgerError
from litellm_memory.models import Memory

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
MAX_PENDING: Final = 100_000
"""At most this many requests are queued to be counted; above that the oldest are dropped, and no request blocks."""
MAX_LABEL_VALUES: Final = 64
"""At most this many values per label; later ones become ``other``, so that cardinality stays bounded."""
OTHER: Final = "other"
NONE: Final = "none"

_STAGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 5.0)
_REQUESTS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

REQUESTS = Counter(
    "litellm_memory_requests",
    "Requests that memory looked at, by what it did, why, the kind of request and the client.",
    ("status", "reason", "kind", "client"),
)
REQUEST_SECONDS = Histogram(
    "litellm_memory_request_duration_seconds",
    "Seconds from a request's arrival at the proxy to the end of its answer.",
    buckets=_REQUESTS,
)
STAGE_SECONDS = Histogram(
    "litellm_memory_stage_duration_seconds",
    "Seconds that memory took of a request, by stage: read, replay, recall, screen, freeze.",
    ("stage",),
    buckets=_STAGES,
)
RECALLS = Counter(
    "litellm_memory_recalls",
    "Recalls for new words of a person, by result: hit, empty, late, error, away.",
    ("result",),
)
DEADLINE_MISSES = Counter(
    "litellm_memory_deadline_misses", "Requests that went on without waiting for a stage.", ("stage",)
)
INJECTIONS = Counter("litellm_memory_context_injections", "Requests that were given a new block.")
INJECTED_TOKENS = Counter(
    "litellm_memory_injected_tokens", "Tokens of the blocks that requests carried, new and replayed."
)
UNREADABLE_HEADERS = Counter("litellm_memory_unreadable_headers", "Memory headers whose value could not be read.")
BACKEND_ERRORS = Counter(
    "litellm_memory_backend_errors", "Failed calls of a model, by LiteLLM's class of error.", ("error",)
)
INPUT_TOKENS = Counter("litellm_memory_input_tokens", "Tokens that providers read.", ("provider",))
CACHED_TOKENS = Counter(
    "litellm_memory_cached_input_tokens", "Those of them that a prompt cache served.", ("provider",)
)
LEARNED = Counter(
    "litellm_memory_memory_extractions",
    "Memories made from exchanges, by kind, and whether they wait for review.",
    ("kind", "review"),
)
ALERTS = Counter(
    "litellm_memory_alerts",
    "Messages to `alerts.webhook`, by what they tell (review, health), and whether it took them (sent, failed).",
    ("event", "outcome"),
)
# Every worker reports the same value, so the most recent one is right for all of them.
JOURNAL = Gauge(
    "litellm_memory_journal_exchanges",
    "Exchanges that wait in the journal to be learned, of all workers.",
    multiprocess_mode="mostrecent",
)
JUNK = Gauge(
    "litellm_memory_junk_share",
    "Share of a sample of memories that the audit calls junk, from 0 to 1; looked at once an hour.",
    multiprocess_mode="mostrecent",
)
AWAY = Gauge(
    "litellm_memory_away",
    "1 while requests go on without this part, because it does not answer or is not called.",
    ("part",),
    multiprocess_mode="mostrecent",
)
READY = Gauge("litellm_memory_ready", "1 when memories are recalled and learned.", multiprocess_mode="mostrecent")

COUNTED: Final[tuple[MetricWrapperBase, ...]] = (
    REQUESTS,
    REQUEST_SECONDS,
    STAGE_SECONDS,
    RECALLS,
    DEADLINE_MISSES,
    INJECTIONS,
    INJECTED_TOKENS,
    UNREADABLE_HEADERS,
    BACKEND_ERRORS,
    INPUT_TOKENS,
    CACHED_TOKENS,
    LEARNED,
    ALERTS,
)
SEEN: Final[tuple[MetricWrapperBase, ...]] = (JOURNAL, JUNK, READY, AWAY)


@dataclass(frozen=True, slots=True)
class Noted:
    """One request to be counted. ``stages`` are milliseconds."""

    status: str
    reason: str
    kind: str | None
    client: str | None
    tokens: int
    seconds: float
    unreadable: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)


_noted: deque[Noted] = deque(maxlen=MAX_PENDING)


def note(request: Noted) -> None:
    """Queues a request for ``count_noted``, so that counting adds no latency to it."""
    _noted.append(request)


def count_noted() -> None:
    """Counts the queued requests in a batch: one increment per combination of labels."""
    requests: Tally[tuple[str, str, str, str]] = Tally()
    recalls: Tally[str] = Tally()
    late: Tally[str] = Tally()
    while _noted:
        one = _noted.popleft()
        requests[one.status, one.reason, one.kind or NONE, one.client or NONE] += 1
        if (result := _result(one)) is not None:
            recalls[result] += 1
        if one.status == "late":
            late["replay" if one.reason == "replay" else "recall"] += 1
        if one.status == "injected":
            INJECTIONS.inc()
        INJECTED_TOKENS.inc(one.tokens)
        UNREADABLE_HEADERS.inc(one.unreadable)
        REQUEST_SECONDS.observe(one.seconds)
        for stage, milliseconds in one.stages.items():
            STAGE_SECONDS.labels(stage).observe(milliseconds / 1000)
    for (status, reason, kind, client), count in requests.items():
        REQUESTS.labels(status, _bounded("reason", reason), kind, _bounded("client", client)).inc(count)
    for result, count in recalls.items():
        RECALLS.labels(result).inc(count)
    for stage, count in late.items():
        DEADLINE_MISSES.labels(stage).inc(count)


_RESULTS: Final = {"recalled": "hit", "nothing_relevant": "empty", "guardrail": "empty", "deadline": "late"}


def _result(request: Noted) -> str | None:
    """The result of a recall; None for a request without one."""
    if request.reason.endswith("_away"):
        return "away"
    if request.status == "error" and "recall" in request.stages:
        return "error"
    return _RESULTS.get(request.reason)


def count_call(call: CallRecord) -> None:
    """Counts the tokens of a successful call, or the error of a failed one."""
    if call.status == "failure":
        BACKEND_ERRORS.labels(_bounded("error", call.error or NONE)).inc()
        return
    provider = _bounded("provider", call.provider or NONE)
    INPUT_TOKENS.labels(provider).inc(call.input_tokens)
    CACHED_TOKENS.labels(provider).inc(call.cached_tokens)


def count_learned(memories: Iterable[Memory]) -> None:
    """Counts memories that were made from exchanges."""
    for memory in memories:
        LEARNED.labels(memory.kind, "no" if memory.review is None else "yes").inc()


_values: defaultdict[str, set[str]] = defaultdict(set)


def _bounded(label: str, value: str) -> str:
    known = _values[label]
    if value not in known:
        if len(known) >= MAX_LABEL_VALUES:
            return OTHER
        known.add(value)
    return value


class Shared:
    """The metrics of all workers of this host: each worker adds its counts to one sum in the ledger."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._flushed = _own()
        self._flush_lock = asyncio.Lock()

    async def flush(self) -> None:
        """Adds what this process counted since the last flush. Raises LedgerError; the next flush adds the rest."""
        count_noted()
        async with self._flush_lock:
            own = _own()
            grown = {figure: value - self._flushed.get(figure, 0.0) for figure, value in own.items()}
            grown = {figure: value for figure, value in grown.items() if value}
            if grown:
                await self._figures.add(grown)
                self._flushed = own

    async def exposition(self) -> bytes:
        """All metrics in Prometheus' text format: sums of all workers, and this worker's gauges.

        The gauges alone while the ledger, which has the sums, is away: they say so.
        """
        sums: dict[Figure, float] = {}
        with suppress(LedgerError):
            await self.flush()
            sums = {**dict.fromkeys(_own(), 0.0), **await self._figures.all()}
        registry = CollectorRegistry()
        registry.register(_Summed(sums))
        return generate_latest(registry)


class _Summed(Collector):
    """The metrics of this module, with the sums of all workers in place of this process's counts."""

    def __init__(self, sums: Mapping[Figure, float]) -> None:
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        for counted in COUNTED:
            for metric in counted.collect():
                yield self._summed(metric)
        for seen in SEEN:
            yield from seen.collect()

    def _summed(self, metric: Metric) -> Metric:
        summed = Metric(metric.name, metric.documentation, metric.type)
        names = {f"{metric.name}{suffix}" for suffix in ("_total", "_bucket", "_count", "_sum")}
        for name, labels in sorted(self._sums, key=_in_order):
            if name in names:
                summed.add_sample(name, dict(labels), self._sums[name, labels])
        return summed


def _in_order(figure: Figure) -> tuple[str, list[tuple[str, str]], float]:
    """Sort key: the buckets of one histogram together, in ascending order."""
    name, labels = figure
    return name, [label for label in labels if label[0] != "le"], float(dict(labels).get("le", 0.0))


def _own() -> dict[Figure, float]:
    """The counts of this process so far."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for counted in COUNTED
        for metric in counted.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }
