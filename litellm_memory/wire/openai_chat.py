"""OpenAI chat completions: ``messages`` in, ``choices`` out. The format of most clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litellm_memory.models import Body, Reply, Turn
from litellm_memory.wire.content import chat_messages, is_object, objects, string
from litellm_memory.wire.format import Event, WireFormat
from litellm_memory.wire.reply import EMPTY, joined, visible_text
from litellm_memory.wire.turn import turn


def read(body: Body) -> Turn | None:
    """The turn of a chat body; None without a readable message."""
    return turn(body, chat_messages(body))


def reply(events: Iterable[Event]) -> Reply:
    """The first choice of the answer. ``finish_reason`` marks its end."""
    return joined(events, _event_reply)


def is_answer(event: Event) -> bool:
    """True for an event with ``choices``."""
    return isinstance(event.get("choices"), list)


def is_request(body: Body) -> bool:
    """True for a body with a list of messages; formats with a narrower test are tried before."""
    return isinstance(body.get("messages"), list)


def with_system(body: Body, text: str) -> dict[str, Any]:
    """A copy of ``body`` with ``text`` as its first message, in role ``system``."""
    return {**body, "messages": [{"role": "system", "content": text}, *body["messages"]]}


def _event_reply(event: Event) -> Reply:
    choice = next((choice for choice in objects(event.get("choices")) if choice.get("index") in (None, 0)), None)
    if choice is None:
        return EMPTY
    message = next((one for key in ("delta", "message") if is_object(one := choice.get(key))), {})
    return Reply(
        # Text completions have their text in the choice itself.
        text=visible_text(choice.get("text"))
        + visible_text(message.get("content"))
        + visible_text(message.get("refusal")),
        tools=bool(message.get("tool_calls") or message.get("function_call")),
        complete=string(choice.get("finish_reason")) is not None,
    )


FORMAT = WireFormat(
    name="openai_chat",
    read=read,
    reply=reply,
    is_answer=is_answer,
    call_types=("acompletion",),
    paths=("/chat/completions",),
    is_request=is_request,
    with_system=with_system,
    message_list="messages",
)
