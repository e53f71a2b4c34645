"""What the steps of one request cost in processor time: reading a body, searching a scope, rendering a block.

Everything runs in this thread and on made-up texts; the vectors are sums of a vector for each word.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from latency_workload import conversation, memory_texts

from litellm_memory.identity import Refusal, identify, read_options
from litellm_memory.index.scope import ScopeIndex
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import search
from litellm_memory.models import Caller, Memory, Recalled, Scope
from litellm_memory.redact import Redactor
from litellm_memory.render import render
from litellm_memory.request.kinds import classify
from litellm_memory.request.marks import said_in
from litellm_memory.request.openings import Openings
from litellm_memory.settings import Settings
from litellm_memory.store import Entry
from litellm_memory.wire import recognise

SIZES = (1_000, 10_000)
DIMENSION = 384
SETTINGS = Settings()
OPENINGS = Openings()
START = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {
    "user-agent": "claude-cli/2.0 (external, cli)",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
    "accept": "application/json",
    "x-memory-user-id": "ada",
}
REMINDER = "<system-reminder>\n" + 40 * "A rule of this project that has a line of its own.\n" + "</system-reminder>"


def tool_loop(messages: int, number: int) -> dict[str, Any]:
    """A request of a coding agent: one question, and then steps of a call and its result."""
    parts = [{"type": "text", "text": REMINDER}, {"type": "text", "text": f"Why does test {number} fail?"}]
    body = [{"role": "user", "content": parts}]
    for step in range(1, messages, 2):
        call = {"type": "tool_use", "id": f"t{step}", "name": "Read", "input": {"path": f"/app/{step}"}}
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": f"t{step}", "content": "a line\n" * 100}
        reminder = [{"type": "text", "text": REMINDER}] if step % 20 == 1 else []
        body += [
            {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, call]},
            {"role": "user", "content": [result, *reminder]},
        ]
    return {"model": "any", "max_tokens": 32_000, "system": "You are an agent.", "messages": body[:messages]}


def chat(messages: int, number: int) -> dict[str, Any]:
    """A request of a chat in which every second message is the person's."""
    [*_, last] = conversation(number)
    said = [one["content"] for one in json.loads(last.body)["messages"] if one["role"] == "user"]
    body = [
        {"role": "assistant", "content": "Fine. " * 60}
        if place % 2
        else {"role": "user", "content": f"{said[place // 2 % len(said)]} {place}"}
        for place in range(messages)
    ]
    return {"model": "any", "messages": body}


def read(body: Mapping[str, Any], call_type: str) -> None:
    """Reads a body as `request.reading.Reader` does, without its look-ups in the ledger."""
    format = recognise(call_type, "/", body)
    turn = format.read(body) if format else None
    assert turn is not None
    options = read_options(HEADERS, SETTINGS.identity)
    scope = identify(Caller(master=True), HEADERS, options, turn, SETTINGS.identity)
    assert not isinstance(scope, Refusal)
    kind, reason = classify(turn, HEADERS, SETTINGS.kinds)
    OPENINGS.foreign(turn, scope, said_in(turn, scope, b"key"), kind, reason, note=True)


def index_of(memories: Sequence[Memory]) -> ScopeIndex:
    """These memories with vectors, ready to be searched."""
    index = ScopeIndex(DIMENSION)
    index.put(Entry(memory, vector_of(memory.text)) for memory in memories)
    index.prepare()
    return index


def memories_of(count: int) -> list[Memory]:
    """Memories of one person, twenty of each session."""
    return [
        Memory(f"{n:040}", "p", "u", text, "episode", START + timedelta(hours=n), session=str(n // 20), tokens=30)
        for n, text in enumerate(memory_texts(count))
    ]


def vector_of(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A unit vector that is near to those of texts with the same words."""
    found = np.sum([_vector_of_word(word) for word in text.lower().split()], axis=0)
    return (found / np.linalg.norm(found)).astype(np.float32)


@cache
def _vector_of_word(word: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(zlib.crc32(word.encode())).normal(size=DIMENSION)


def steps(repeats: int) -> Iterator[tuple[str, list[float]]]:
    """The name of each step, and its milliseconds in each of ``repeats`` runs."""
    for shape, call_type in ((tool_loop, "anthropic_messages"), (chat, "acompletion")):
        name = shape.__name__.replace("_", " ")
        yield (
            f"read 1 message, {name}",
            [spent(read, _parsed(shape(1, number)), call_type) for number in range(repeats)],
        )
        yield (
            f"read 200 messages the first time, {name}",
            [spent(read, _parsed(shape(199, number)), call_type) for number in range(repeats)],
        )
        known, longer = shape(199, repeats), shape(201, repeats)
        read(known, call_type)
        yield (
            f"read 200 messages and one more, {name}",
            [spent(read, _parsed(longer), call_type) for _ in range(repeats)],
        )
    queries = [
        Query(json.loads(conversation(n)[0].body)["messages"][-1]["content"], Scope("p", "u"), 24, 0.3, tokens=1000)
        for n in range(repeats)
    ]
    for size in SIZES:
        index = index_of(memories_of(size))
        search(index, vector_of("warm up"), queries[0], START)
        yield (
            f"search {size:,} memories",
            [spent(search, index, vector_of(one.text), one, START + timedelta(days=900)) for one in queries],
        )
    recalled = [Recalled(memory, 0.5) for memory in memories_of(24)]
    render_block(recalled)
    yield "redact and render 24 memories", [spent(render_block, recalled) for _ in range(repeats)]


def render_block(recalled: Sequence[Recalled]) -> None:
    """Renders a block as `request.blocks.Blocks` does."""
    redactor = Redactor()
    render([redactor.recalled(item) for item in recalled], "xml", mark="m", name_projects=True)


def _parsed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it comes from JSON: no object is shared with an earlier request."""
    parsed: dict[str, Any] = json.loads(json.dumps(body))
    return parsed


def spent(work: Callable[..., object], *arguments: object) -> float:
    """Milliseconds of this thread."""
    before = time.thread_time()
    work(*arguments)
    return 1000 * (time.thread_time() - before)


def main() -> None:
    """Prints a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200, help="runs of each step (default: 200)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows = [
        {
            "step": name,
            "least_ms": round(min(each), 3),
            "p50_ms": round(statistics.median(each), 3),
            "p95_ms": round(sorted(each)[len(each) * 95 // 100], 3),
        }
        for name, each in steps(arguments.repeats)
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'ms of processor time':46} {'least':>7} {'p50':>7} {'p95':>7}")
    for row in rows:
        print(f"{row['step']:46} {row['least_ms']:7.3f} {row['p50_ms']:7.3f} {row['p95_ms']:7.3f}")


if __name__ == "__main__":
    main()
