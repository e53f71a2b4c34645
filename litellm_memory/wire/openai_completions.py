"""OpenAI text completions: one ``prompt`` in, ``choices`` out."""

from __future__ import annotations

import re

from litellm_memory.models import Body, Message, Text, Turn
from litellm_memory.wire.content import string, system, turn
from litellm_memory.wire.openai_chat import is_answer, reply

__all__ = ["is_answer", "read", "reply"]

# Signs of a prompt that a program composed: code to fill in (FIM tokens of Code Llama, StarCoder, Qwen, DeepSeek,
# Codestral), or a whole conversation in a model's own template. Words put before it would stand outside of it.
_COMPOSED = re.compile(
    r"<\|[a-z_▁]|<\uff5c|<fim[_-]|<(?:SUF|MID)>|\[SUFFIX\]|\[/?INST\]|<start_of_turn>|\n\nHuman:",
)


def read(body: Body) -> Turn | None:
    """The turn of one plain prompt; None for lists, token ids, code to fill in and templated conversations."""
    prompt = string(body.get("prompt"))
    if prompt is None or body.get("suffix") or _COMPOSED.search(prompt):
        return None
    said = Message("person", (Text(prompt, ("prompt",)),))
    return turn(body, [*system(body.get("system"), ("system",)), said])
