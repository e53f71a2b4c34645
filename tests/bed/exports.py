"""What other products export, as they do."""

from __future__ import annotations

from typing import Any


def chatgpt(text: str, count: int) -> list[dict[str, Any]]:
    """A conversation of ChatGPT in which somebody said the same so many times."""
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}
    mapping = {str(n): {"message": {"id": str(n), **message}, "parent": None} for n in range(count)}
    return [{"conversation_id": "c", "mapping": mapping}]
