"""One odd record of a file is one refused record: the others are kept, and all are counted."""

from __future__ import annotations

import copy
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from test_foreign import CASES
from test_past import CHAT, FILES, SPEND_ROW

from litellm_memory.api.past import ConversationIn
from litellm_memory.care.lines import ImportLines
from litellm_memory.foreign import converted, format_of
from litellm_memory.foreign.files import LISTS
from litellm_memory.foreign.past import conversations_in
from litellm_memory.redact import Redactor

EDGES: Final = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", 253402300799.0, -62135596800)
ODD = some.one_of(
    some.sampled_from([None, True, 0, -1, 10**40, float("nan"), float("inf"), "", " ", "x", "\ud800", "\u2028"]),
    some.sampled_from(EDGES),
    some.recursive(
        some.text() | some.integers(), lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner)
    ),
)
"""What no product writes into any field, but a broken, an edited or a newer export may."""
LINES = ImportLines("p", "default", b"k", Redactor(), str)


def lists_in(content: Any) -> list[Any]:
    """The records of a file's content, also of a whole document."""
    if isinstance(content, list):
        return content
    found = [record for key in LISTS if isinstance(content.get(key), list) for record in content[key]]
    return found or [content]


MEMORIES: Final[Mapping[str, Sequence[Any]]] = {
    case: lists_in(content) for case, (_, content, _) in CASES.items() if not isinstance(content, str)
}
TALKS: Final[Mapping[str, Sequence[Any]]] = {
    **{name: [json.loads(line) for line in (FILES / f"{name}.jsonl").read_text().splitlines()] for name in (
        "claude-code", "codex", "gemini-cli")},
    "opencode": [json.loads((FILES / "opencode.json").read_text())],
    "open-webui": [CHAT],
    "spend-logs": [SPEND_ROW],
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a value."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def changed(record: Any, path: Sequence[Any], odd: Any) -> Any:
    """``record`` with another value at ``path``."""
    if not path:
        return odd
    new = copy.deepcopy(record)
    inner = new
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return new


@some.composite
def odd_records(draw: some.DrawFn, known: Mapping[str, Sequence[Any]]) -> tuple[str, int, Any]:
    """A name of ``known``, a place among its records, and that record with one field of another kind."""
    name = draw(some.sampled_from(sorted(known)))
    number = draw(some.integers(0, len(known[name]) - 1))
    record = known[name][number]
    return name, number, changed(record, draw(some.sampled_from(list(places(record)))), draw(ODD))


def written(name: str, rows: Sequence[Any]) -> Path:
    """A file with these records; of long numbers with all of their digits."""
    path = Path(tempfile.mkdtemp()) / name
    texts = [json.dumps(row).replace(f"{10**40}", "1" * 6000) for row in rows]
    path.write_text("[" + ",\n".join(texts) + "]")
    return path


@settings(max_examples=200)
@given(odd_records(MEMORIES))
@example(("chatgpt", 0, {"mapping": {"a": "a node that is a text"}, "current_node": "a"}))
@example(("mem0", 0, {"memory": "I like tea.", "state": ["active"]}))
@example(("ai-mem", 0, {"content": "x", "session_id": "s", "project": "p", "type": ["x"], "title": ["x"]}))
def test_an_odd_record_of_memories_is_one_refused_record(one: tuple[str, int, Any]) -> None:
    case, _, record = one
    good = MEMORIES[case]
    format = format_of(written("good.json", good))
    assert format is not None
    expected = list(converted(written("good.json", good), format))
    found = list(converted(written("odd.json", [*good, record, *good]), format))
    kept = [row.line for row in expected]
    assert [row.line for row in found[: len(kept)]] == kept
    assert [row.line for row in found[-len(kept) :]] == kept
    # Whatever the odd one holds, it comes to something that is counted.
    assert found[len(kept) : -len(kept)]
    for row in found:
        memories, refused = LINES.read([(1, row.line)])
        assert len(memories) + len(refused) == (row.refusal is None)


@settings(max_examples=200)
@given(odd_records(TALKS))
def test_an_odd_record_of_conversations_leaves_all_others(one: tuple[str, int, Any]) -> None:
    name, number, record = one
    rows = [*TALKS[name][:number], record, *TALKS[name][number + 1 :]]
    found = list(conversations_in(written("odd.json", rows), name, Counter()))
    for conversation in found:
        ConversationIn.model_validate_json(json.dumps(conversation))
    if name in ("opencode", "open-webui", "spend-logs"):
        good = TALKS[name]
        left_out: Counter[str] = Counter()
        again = list(conversations_in(written("odd.json", [record, *good]), name, left_out))
        assert again[-1] == list(conversations_in(written("good.json", good), name, Counter()))[-1]
        # A record that is read to its end without a word of a person is no loss.
        assert isinstance(record, dict) or left_out["unreadable"] == 1


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("open-webui", {"chat": None}, "unreadable"),
        ("opencode", {"messages": None}, "unreadable"),
        ("spend-logs", {"startTime": "0001-01-01T00:00:00+14:00"}, "no_time"),
        ("spend-logs", {"proxy_server_request": None}, "no_prompt"),
        ("spend-logs", {"status": "failure"}, "failed"),
        (
            "open-webui",
            {"chat": {"messages": [{"role": "user", "content": "I like tea."}]}, "created_at": None},
            "no_time",
        ),
        ("open-webui", {"chat": {"messages": [{"role": "user", "content": "tea " * 50_000}]}}, "too_long"),
    ],
)
def test_what_is_left_out_of_a_file_is_counted_with_its_reason(name: str, change: dict[str, Any], reason: str) -> None:
    left_out: Counter[str] = Counter()
    assert list(conversations_in(written("odd.json", [{**TALKS[name][0], **change}]), name, left_out)) == []
    assert left_out == {reason: 1}
