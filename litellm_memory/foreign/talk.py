"""A conversation that a client kept, as the requests that it sent: what an import of the past learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from litellm_memory.foreign.line import LONGEST_REPLY, Json, instant, name

LONGEST_WORDS: Final = 100_000
"""Characters of one message of a person; more is a paste, and too much for one request."""


class Talk:
    """Builds the body that a client would send now, in the format of chat completions: marks and recognition depend on
    the words alone, whatever their format.

    ``headers``: by which the client, its session and its project are recognised. ``opening``: its system text.
    ``left_out`` counts what the person said and nothing is learned from, by the reason.
    """

    def __init__(self, headers: Mapping[str, str | None], left_out: Counter[str], opening: str | None = None) -> None:
        self._left_out = left_out
        self.headers = {key: value for key, value in headers.items() if value}
        self._messages: list[dict[str, Any]] = [{"role": "system", "content": opening}] if opening else []
        self._said: list[dict[str, Any]] = []

    def person(self, content: object, at: object) -> None:
        """The person, or the client in the person's place, sent this. Nothing for what has no text."""
        texts, when = texts_in(content), instant(at)
        if not texts:
            return
        if when is None or sum(map(len, texts)) > LONGEST_WORDS:
            self._left_out["no_time" if when is None else "too_long"] += 1
            return
        self._messages.append({"role": "user", "content": [{"type": "text", "text": text} for text in texts]})
        self._said.append({"at": when})

    def answer(self, content: object) -> None:
        """The model answered this; the last answer before the person's next words ended the turn."""
        text = "\n".join(texts_in(content)).strip()
        if not text or not self._said:
            return
        self._said[-1]["reply"] = text[:LONGEST_REPLY]
        if self._messages[-1]["role"] != "assistant":
            self._messages.append({"role": "assistant", "content": ""})

    def conversation(self, user: object = None) -> Json | None:
        """The conversation as `POST /v1/import/conversations` takes it; None when the person said nothing."""
        if not self._said:
            return None
        told: dict[str, Any] = {"headers": self.headers, "body": {"messages": self._messages}, "said": self._said}
        return told if user is None else {**told, "user": name(user)}


def texts_in(content: object) -> list[str]:
    """The texts of a message's content, be it a text or a list of parts; none where a tool's result is in it."""
    if isinstance(content, str):
        return [content] if content.strip() else []
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    if any(part.get("type") in ("tool_result", "functionResponse") or "functionResponse" in part for part in parts):
        return []
    texts = [part.get("text") for part in parts if part.get("type") in (None, "text", "input_text", "output_text")]
    return [text for text in texts if isinstance(text, str) and text.strip()]
