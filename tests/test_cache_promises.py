"""The benchmark of prompt caches: its caches are faithful, and in its short form every promise is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from bed.proxy import CHECKOUT

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


def test_a_prompt_cache_serves_as_much_with_memory_as_without() -> None:
    """Four clients before two workers: same bytes, same marks, one block for each turn."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))}
    run = subprocess.run(
        [sys.executable, str(BENCH / "cache.py"), "--quick", "--json"],
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
    assert len(report["conversations"]) == 4
