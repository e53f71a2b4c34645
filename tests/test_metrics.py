"""What is counted: named as the page says, the same for all workers, and no name of anybody in it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from litellm_memory import metrics
from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.ledger import CallRecord, Ledger
from litellm_memory.metrics import COUNTED, MAX_LABEL_VALUES, SEEN, Noted, Shared, count_call, count_learned, note
from litellm_memory.models import Caller, Memory
from litellm_memory.settings import Settings
from litellm_memory.sidecar import create_app

PAGE = Path(__file__).parent.parent / "docs" / "monitoring.md"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    await ledger.aclose()


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Every figure of a page that is not zero, by its name and its labels' values; buckets left out."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if sample.value > 0 and not sample.name.endswith("_bucket")
    }


def call(**changes: object) -> CallRecord:
    usual = {
        **dict.fromkeys(CallRecord.__dataclass_fields__),
        "id": "1",
        "at": datetime.now(UTC),
        "provider": "anthropic",
        "status": "success",
        "input_tokens": 1000,
        "cached_tokens": 800,
    }
    return CallRecord(**{**usual, **changes})  # type: ignore[arg-type]  # the table gives names and values


def memory(kind: str, review: str | None = None) -> Memory:
    return Memory("1", "p", "ann", "She plays the cello.", kind, datetime.now(UTC), review=review)  # type: ignore[arg-type]  # a name of the table


INJECTED = Noted("injected", "recalled", "person", "codex", 120, 2.0, stages={"read": 1.0, "recall": 4.0})
EMPTY = Noted("replayed", "nothing_relevant", "person", "codex", 80, 1.0, unreadable=1, stages={"recall": 2.0})
LATE = Noted("late", "deadline", "person", None, 0, 1.0, stages={"recall": 150.0})
BROKEN = Noted("error", "store", "person", None, 0, 1.0, stages={"recall": 1.0})
SKIPPED = Noted("skipped", "tools", "continuation", "codex", 0, 1.0)


async def test_the_five_figures_that_others_had_are_counted(ledger: Ledger) -> None:
    shared = Shared(ledger.figures)
    for request in (INJECTED, EMPTY, EMPTY, LATE, BROKEN, SKIPPED):
        note(request)
    count_call(call())
    count_call(call(status="failure", error="Timeout"))
    count_learned([memory("fact"), memory("fact"), memory("instruction", review="aims at tools")])
    ours = "litellm_memory_"
    stages = ours + "stage_duration_seconds"
    found = {name: value for name, value in samples(await shared.exposition()).items() if name[0] not in LOOKED_AT}
    assert found == {
        (ours + "requests_total", "codex", "person", "recalled", "injected"): 1,
        (ours + "requests_total", "codex", "person", "nothing_relevant", "replayed"): 2,
        (ours + "requests_total", "none", "person", "deadline", "late"): 1,
        (ours + "requests_total", "none", "person", "store", "error"): 1,
        (ours + "requests_total", "codex", "continuation", "tools", "skipped"): 1,
        (ours + "request_duration_seconds_count",): 6,
        (ours + "request_duration_seconds_sum",): 7,
        (stages + "_count", "read"): 1,
        (stages + "_sum", "read"): pytest.approx(0.001),
        (stages + "_count", "recall"): 5,
        (stages + "_sum", "recall"): pytest.approx(0.159),
        (ours + "recalls_total", "hit"): 1,
        (ours + "recalls_total", "empty"): 2,
        (ours + "recalls_total", "late"): 1,
        (ours + "recalls_total", "error"): 1,
        (ours + "deadline_misses_total", "recall"): 1,
        (ours + "context_injections_total",): 1,
        (ours + "injected_tokens_total",): 280,
        (ours + "unreadable_headers_total",): 2,
        (ours + "backend_errors_total", "Timeout"): 1,
        (ours + "input_tokens_total", "anthropic"): 1000,
        (ours + "cached_input_tokens_total", "anthropic"): 800,
        (ours + "memory_extractions_total", "fact", "no"): 2,
        (ours + "memory_extractions_total", "instruction", "yes"): 1,
    }


LOOKED_AT = {f"litellm_memory_{name}" for name in ("journal_exchanges", "junk_share", "ready")}


async def test_what_one_worker_counted_every_other_shows_also_after_it_is_gone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = Ledger.open(url)
    shared = Shared(first.figures)
    note(INJECTED)
    await shared.flush()
    note(INJECTED)
    await shared.flush()
    await first.aclose()
    second = Ledger.open(url)
    try:
        found = samples(await Shared(second.figures).exposition())
    finally:
        await second.aclose()
    assert found["litellm_memory_requests_total", "codex", "person", "recalled", "injected"] == 2
    assert found["litellm_memory_injected_tokens_total",] == 240


async def test_buckets_of_a_histogram_rise_to_its_count(ledger: Ledger) -> None:
    shared = Shared(ledger.figures)
    for request in (INJECTED, LATE, SKIPPED):
        note(request)
    page = (await shared.exposition()).decode()
    recall = re.findall(r'stage_duration_seconds_bucket\{le="([^"]+)",stage="recall"\} (\S+)', page)
    assert [float(bound) for bound, _ in recall] == sorted(float(bound) for bound, _ in recall)
    assert [float(count) for _, count in recall] == sorted(float(count) for _, count in recall)
    assert recall[-1] == ("+Inf", "2.0")


async def test_a_label_has_a_bounded_number_of_values(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_values", defaultdict(set))
    shared = Shared(ledger.figures)
    for number in range(MAX_LABEL_VALUES + 10):
        note(Noted("skipped", "rule", "other", f"client {number}", 0, 0.1))
    found = samples(await shared.exposition())
    clients = {name[1] for name in found if name[0] == "litellm_memory_requests_total"}
    assert len(clients) <= MAX_LABEL_VALUES + 1
    assert "other" in clients


def test_every_metric_is_documented_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `litellm_memory_")]
    documented = {
        (names[0], kind.strip(), tuple(re.findall(r"`(\w+)`", labels)), meaning.strip())
        for name, kind, labels, meaning in rows
        if (names := re.findall(r"`(\w+)`", name))
    }
    families = [(metric, family) for metric in (*COUNTED, *SEEN) for family in metric.describe()]
    assert documented == {
        (
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            metric._labelnames,
            family.documentation,
        )
        for metric, family in families
    }


async def test_the_page_is_for_keys_that_litellm_knows(tmp_path: Path) -> None:
    async def authenticate(headers: Mapping[str, str]) -> Caller:
        if headers.get("authorization") != "Bearer sk-known":
            raise UnauthorizedError("LiteLLM does not accept this key.")
        return Caller(user="ann", key="0" * 64)

    engine = Engine(Settings(data_dir=tmp_path), count=len)
    transport = httpx.ASGITransport(create_app(engine, authenticate=authenticate))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8764") as client:
            keys = ({}, {"authorization": "Bearer sk-wrong"}, {"authorization": "Bearer sk-known"})
            answers = [await client.get("/metrics", headers=key) for key in keys]
    finally:
        await engine.aclose()
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert answers[2].headers["content-type"].startswith("text/plain")
    assert "litellm_memory_ready 0.0" in answers[2].text
