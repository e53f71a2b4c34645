"""What two requests or two answers differ in: volatile parts blanked out, texts found, an injected block taken out."""

from __future__ import annotations

import re
from typing import Any

_VOLATILE = re.compile(
    rb'"(id|created|created_at|completed_at|response_id|responseId|item_id|call_id|toolUseId|system_fingerprint)"'
    rb'(\s*:\s*)("(?:[^"\\]|\\.)*"|[0-9.]+)'
)
_TEXT_KEYS = ("text", "content", "prompt", "input", "instructions", "system")


def steady(content: bytes) -> bytes:
    """An answer's bytes with the ids and times, which LiteLLM makes anew for every request, blanked out."""
    return _VOLATILE.sub(rb'"\1"\2"*"', content)


def texts_in(body: Any) -> list[str]:
    """Every text of a request body that a model would read, in order."""
    return _texts(body, speaks=False)


def without_block(body: Any, *, marker: str, words: str) -> Any:
    """``body`` as it would be without the one text that holds ``marker`` before the person's own ``words``.

    A text part that holds the block alone is dropped; of one text that holds both, the words stay.
    """
    if isinstance(body, str):
        return words if marker in body and body.endswith(f"\n\n{words}") else body
    if isinstance(body, dict):
        return {key: without_block(item, marker=marker, words=words) for key, item in body.items()}
    if isinstance(body, list):
        kept = [item for item in body if not _is_block_part(item, marker, words)]
        return [without_block(item, marker=marker, words=words) for item in kept]
    return body


def folded(body: Any) -> Any:
    """``body`` with every list of a single text part written as that text, as some of LiteLLM's bridges do."""
    if isinstance(body, dict):
        return {key: folded(item) for key, item in body.items()}
    if isinstance(body, list):
        alone = body[0] if len(body) == 1 else None
        is_text = isinstance(alone, dict) and alone.keys() == {"type", "text"} and alone["type"] == "text"
        return alone["text"] if alone and is_text else [folded(item) for item in body]
    return body


def _is_block_part(item: Any, marker: str, words: str) -> bool:
    if not isinstance(item, dict) or "role" in item:
        return False
    text = item.get("text")
    return isinstance(text, str) and marker in text and not text.endswith(words)


def _texts(value: Any, *, speaks: bool) -> list[str]:
    if isinstance(value, str):
        return [value] if speaks else []
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, speaks=speaks)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in _texts(item, speaks=key in _TEXT_KEYS)]
    return []
