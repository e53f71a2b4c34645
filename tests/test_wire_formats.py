"""The table of wire formats: a new one is a module and a line, and nothing else knows of it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from litellm_memory.models import Body, Message, Reply, Text, Turn
from litellm_memory.wire import WireFormat, read_answer, recognise, reply_of, with_block
from litellm_memory.wire.format import Event
from litellm_memory.wire.formats import FORMATS, NATIVE_CALL_TYPES
from litellm_memory.wire.openai_chat import FORMAT as CHAT
from litellm_memory.wire.positions import with_block_at

PACKAGE = Path(__file__).parent.parent / "litellm_memory"
WIRE = PACKAGE / "wire"
PASS = "pass_through_endpoint"


def read_question(body: Body) -> Turn | None:
    question = body.get("question")
    return Turn((Message("person", (Text(question, ("question",)),)),)) if isinstance(question, str) else None


def reply_in_lines(events: Iterable[Event]) -> Reply:
    lines = [event["line"] for event in events if "line" in event]
    return Reply("\n".join(lines), complete=bool(lines))


def with_manner(body: Body, text: str) -> dict[str, Any]:
    return {**body, "manner": text}


TOY = WireFormat(
    name="toy",
    read=read_question,
    reply=reply_in_lines,
    is_answer=lambda event: "line" in event,
    call_types=("atoy",),
    paths=("/toy",),
    is_request=lambda body: "question" in body,
    with_system=with_manner,
)
WITH_TOY = (TOY, *FORMATS)


def test_a_format_in_the_table_is_recognised_read_injected_and_answered() -> None:
    body = {"question": "Which port?"}
    asked = [("atoy", None), (PASS, "/v1/toy"), (PASS, "/elsewhere")]
    assert [recognise(call_type, route, body, formats=WITH_TOY) for call_type, route in asked] == [TOY, TOY, TOY]
    turn = TOY.read(body)
    assert turn == Turn((Message("person", (Text("Which port?", ("question",)),)),))
    place = turn.messages[0].texts[0].place
    assert with_block(body, place, "BLOCK") == {"question": "BLOCK\n\nWhich port?"}
    assert with_block_at(body, TOY, turn, "system", "BLOCK", first=place, last=place) == {**body, "manner": "BLOCK"}
    events = [{"line": "9100,"}, {"line": "I think."}]
    answer = Reply("9100,\nI think.", complete=True)
    assert read_answer(json.dumps(events).encode(), "application/json", CHAT, formats=WITH_TOY) == answer
    assert reply_of(events, CHAT, formats=WITH_TOY) == answer


def test_every_module_with_a_format_is_in_the_table_under_its_name() -> None:
    with_format = {path.stem for path in WIRE.glob("*.py") if "\nFORMAT = " in path.read_text(encoding="utf-8")}
    assert sorted(format.name for format in FORMATS) == sorted(with_format)


def test_a_call_type_and_a_path_belong_to_one_format() -> None:
    call_types = [call_type for format in FORMATS for call_type in format.call_types]
    paths = [path for format in FORMATS for path in format.paths]
    assert (len(call_types), len(paths)) == (len(set(call_types)), len(set(paths)))
    assert set(call_types) == NATIVE_CALL_TYPES


def test_nothing_but_its_module_the_table_and_other_formats_knows_a_format() -> None:
    modules = {f"litellm_memory.wire.{format.name}" for format in FORMATS}
    marks = {mark for format in FORMATS for mark in (*format.call_types, *format.paths)}
    allowed = {WIRE / f"{format.name}.py" for format in FORMATS} | {WIRE / "formats.py"}
    elsewhere = [path for path in sorted(PACKAGE.rglob("*.py")) if path not in allowed]
    assert [(path.name, name) for path in elsewhere for name in named_in(path) if name in modules | marks] == []


def named_in(path: Path) -> Iterator[str]:
    """The modules that a file imports, and its strings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
