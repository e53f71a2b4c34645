"""The other positions of a block, in every format: where it stands, that nothing else changes, that it goes again."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from litellm_memory.models import Message, Turn
from litellm_memory.wire import (
    anthropic_messages,
    bedrock_converse,
    gemini_contents,
    openai_chat,
    openai_completions,
    openai_responses,
)
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.positions import Position, with_block_at
from litellm_memory.wire.taken_out import BlocksOut

CHAT = {
    "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
}
SYSTEM = {"role": "system", "content": "s"}
NEW = {"role": "system", "content": "B"}
ITEMS = [{"role": "user", "content": "a"}, {"role": "user", "content": "c"}]
CONTENTS = [{"role": "user", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "c"}]}]
CONVERSE = [{"role": "user", "content": [{"text": "a"}]}, {"role": "user", "content": [{"text": "c"}]}]
BILLED = [{"type": "text", "text": "x-anthropic-billing-header: v"}, {"type": "text", "text": "s", "cache_control": {}}]
PART = {"type": "text", "text": "B"}


@pytest.mark.parametrize(
    ("format", "position", "body", "expected"),
    [
        (openai_chat.FORMAT, "system", CHAT, {"messages": [NEW, *CHAT["messages"]]}),
        (
            openai_chat.FORMAT,
            "system",
            {"messages": [SYSTEM, *CHAT["messages"]]},
            {"messages": [{"role": "system", "content": "B\n\ns"}, *CHAT["messages"]]},
        ),
        (
            openai_chat.FORMAT,
            "first_user",
            CHAT,
            {"messages": [{"role": "user", "content": "B\n\n---\n\na"}, *CHAT["messages"][1:]]},
        ),
        (openai_chat.FORMAT, "before_last", CHAT, {"messages": [*CHAT["messages"][:2], NEW, CHAT["messages"][2]]}),
        (anthropic_messages.FORMAT, "system", CHAT, {"system": "B", **CHAT}),
        (
            anthropic_messages.FORMAT,
            "system",
            {"system": BILLED, **CHAT},
            {"system": [BILLED[0], PART, BILLED[1]], **CHAT},
        ),
        (
            anthropic_messages.FORMAT,
            "before_last",
            CHAT,
            {"messages": [*CHAT["messages"][:2], {"role": "user", "content": "B\n\nc"}]},
        ),
        (openai_responses.FORMAT, "system", {"input": ITEMS}, {"input": ITEMS, "instructions": "B"}),
        (
            openai_responses.FORMAT,
            "system",
            {"input": ITEMS, "instructions": "s"},
            {"input": ITEMS, "instructions": "B\n\ns"},
        ),
        (openai_responses.FORMAT, "before_last", {"input": ITEMS}, {"input": [ITEMS[0], NEW, ITEMS[1]]}),
        (openai_responses.FORMAT, "before_last", {"input": "c"}, {"input": "B\n\nc"}),
        (
            gemini_contents.FORMAT,
            "system",
            {"contents": CONTENTS},
            {"contents": CONTENTS, "systemInstruction": {"parts": [{"text": "B"}]}},
        ),
        (bedrock_converse.FORMAT, "system", {"messages": CONVERSE}, {"messages": CONVERSE, "system": [{"text": "B"}]}),
        (openai_completions.FORMAT, "system", {"prompt": "c"}, {"prompt": "B\n\nc"}),
    ],
)
def test_a_block_stands_where_the_position_says(
    format: WireFormat, position: Position, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = copy.deepcopy(body)
    turn = format.read(body)
    assert turn is not None
    first, *_, last = [*persons(turn), *persons(turn)]
    placed = with_block_at(body, format, turn, position, "B", first=first.texts[0].place, last=last.texts[0].place)
    assert placed == expected
    assert body == before
    assert BlocksOut(["B"])(placed) == before


def persons(turn: Turn) -> list[Message]:
    return [message for message in turn.messages if message.role == "person"]
