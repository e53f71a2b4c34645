"""OpenAI text completions: one ``prompt`` in, ``choices`` out."""

from __future__ import annotations

import re

from litellm_memory.models import Body, Message, Text, Turn
from litellm_memory.wire import openai_chat
from litellm_memory.wire.content import string, system
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.turn import turn

_TEXT_SETTINGS = ("max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "logprobs")
"""Settings of a text completion; an image request, which also has a ``prompt``, has none of them."""

# Signs of a prompt that a program built: fill-in-the-middle tokens (Code Llama, StarCoder, Qwen, DeepSeek, Codestral),
# or a whole conversation in a model's chat template. A block before it would be outside the template.
_COMPOSED = re.compile(
    r"<\|[a-z_▁]|<\uff5c|<fim[_-]|<(?:SUF|MID)>|\[SUFFIX\]|\[/?INST\]|<start_of_turn>|\n\nHuman:",
)


def read(body: Body) -> Turn | None:
    """The turn of one plain prompt; None for lists, token ids, fill-in-the-middle and templated conversations."""
    prompt = string(body.get("prompt"))
    if prompt is None or body.get("suffix") or _COMPOSED.search(prompt):
        return None
    asked = Message("person", (Text(prompt, ("prompt",)),))
    return turn(body, [*system(body.get("system"), ("system",)), asked])


def is_request(body: Body) -> bool:
    """True for a prompt with a setting that only text completions have."""
    return isinstance(body.get("prompt"), str) and any(key in body for key in _TEXT_SETTINGS)


FORMAT = WireFormat(
    name="openai_completions",
    read=read,
    reply=openai_chat.reply,
    is_answer=openai_chat.is_answer,
    call_types=("atext_completion",),
    paths=("/completions",),
    is_request=is_request,
)
