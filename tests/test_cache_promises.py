"""Prompt caches serve as much with memory as without: the benchmark in its short form, and its caches are faithful."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from bed.proxy import CHECKOUT

from litellm_memory.engine import Engine, Request
from litellm_memory.identity.partition import MASTER_PARTITION
from litellm_memory.models import Caller, Memory, namespace
from litellm_memory.settings import Settings
from litellm_memory.store import memory_id

BENCH = CHECKOUT / "scripts" / "bench"
LONGEST_RUN = 600
"""Seconds on a machine that has other things to do; half a minute is usual."""
MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of the benchmark."""
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module


def chat(*texts: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text} for text in texts]}).encode()


def marked(*texts: str, marks: tuple[int, ...]) -> bytes:
    """A messages body of one text part a message; those at ``marks`` end a cached prefix."""
    parts = [{"type": "text", "text": text, **(MARK if at in marks else {})} for at, text in enumerate(texts)]
    return json.dumps({"messages": [{"role": "user", "content": [part]} for part in parts]}).encode()


OLD, NEW, LONG = "a" * 6000, "b" * 400, "c" * 6000
CASES = {
    "what came before is read in steps of 128 tokens": (
        "/chat/completions", chat(OLD), chat(OLD, NEW), 1408,
    ),
    "a byte that changed early costs all behind it": (
        "/chat/completions", chat(OLD, LONG), chat(OLD.replace("a", "b", 1), LONG), 0,
    ),
    "a prompt of fewer than 1024 tokens is not cached": (
        "/chat/completions", chat(NEW), chat(NEW, NEW), 0,
    ),
    "a blank more is another prompt": (
        "/chat/completions", chat(OLD), chat(OLD, NEW).replace(b'"role": ', b'"role":  '), 0,
    ),
    "a mark that moved costs nothing": (
        "/messages", marked(OLD, marks=(0,)), marked(OLD, NEW, marks=(1,)), 1514,
    ),
    "nothing is kept without a mark": (
        "/messages", marked(OLD, marks=()), marked(OLD, NEW, marks=(1,)), 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "before", "now", "read"), CASES.values(), ids=CASES)
def test_the_caches_serve_what_providers_serve(
    path: str, before: bytes, now: bytes, read: int, bench: Callable[[str], Any]
) -> None:
    cache, read_prompt = bench("cache_provider").SERVICES[path].cache(), bench("cache_prompt").read_prompt
    assert cache.use(read_prompt(path, before)).read == 0
    assert cache.use(read_prompt(path, now)).read == read


def test_a_fifth_mark_is_refused(bench: Callable[[str], Any]) -> None:
    prompt = bench("cache_prompt").read_prompt("/messages", marked(*"abcde", marks=(0, 1, 2, 3, 4)))
    with pytest.raises(bench("cache_models").TooManyMarksError):
        bench("cache_models").Marked().use(prompt)


@pytest.mark.parametrize("clients", [2, pytest.param(4, marks=pytest.mark.long)])
def test_a_prompt_cache_serves_as_much_with_memory_as_without(clients: int) -> None:
    """Clients before two workers: same bytes, same marks, one block for each turn."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))}
    run = subprocess.run(
        [sys.executable, str(BENCH / "cache.py"), "--quick", "--json", f"--clients={clients}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
    assert run.stdout, run.stderr[-4000:]
    report = json.loads(run.stdout)
    broken = {row["conversation"]: row["broken"] for row in report["conversations"] if row["broken"]}
    assert (run.returncode, report["failed"], broken) == (0, [], {})
    assert len(report["conversations"]) == clients


async def test_blocks_in_ram_are_put_back_also_when_the_ledger_is_late(tmp_path: Path) -> None:
    recall = {"deadline_ms": 5000, "min_score": 0}
    engine = Engine(Settings.model_validate({"data_dir": tmp_path, "recall": recall}), count=len)
    engine.open()
    try:
        async with asyncio.timeout(30):
            while not engine.health.opened:
                await asyncio.sleep(0.01)
        await engine.memories.keep([memory("My staging database is called heron-42.")])
        first = await engine.before(asked("What is my staging database called?"))
        hurried = engine.settings.recall.model_copy(update={"deadline_ms": 0})
        engine.use(engine.settings.model_copy(update={"recall": hurried}))
        second = await engine.before(asked("What is my staging database called?", "heron-42", "And where does it run?"))
    finally:
        await engine.aclose()
    assert (first.status, second.status, second.reason) == ("injected", "late", "deadline")
    assert first.body is not None
    assert second.body is not None
    assert second.body["messages"][0] == first.body["messages"][0]


def memory(text: str) -> Memory:
    id = memory_id(namespace(MASTER_PARTITION, "ada"), text, key=b"test")
    return Memory(id, MASTER_PARTITION, "ada", text, "fact", datetime.now(UTC), tokens=8)


def asked(*said: str) -> Request:
    """A chat that alternates between the person and the assistant."""
    messages = [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(said)]
    return Request(
        id=f"call-{len(said)}",
        call_type="acompletion",
        route="/v1/chat/completions",
        headers={"x-memory-user-id": "ada"},
        body={"model": "gpt", "messages": messages},
        caller=Caller(master=True),
        models=("gpt",),
    )
