"""How providers cache prompts: a prefix that came before is read, and what is new is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from cache_prompt import BYTES_A_TOKEN, Prompt

LEAST_TOKENS = 1024
"""No provider caches a shorter prefix."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request: of the whole prompt, read from the cache, written to it."""

    prompt: int
    read: int = 0
    written: int = 0
    step: int = 1
    """The cache serves so many tokens at a time."""


class TooManyMarksError(ValueError):
    """A request marks more ends of cached prefixes than the provider takes."""


class PromptCache(Protocol):
    """What a provider keeps of one client's earlier prompts."""

    def use(self, prompt: Prompt) -> Usage:
        """Reads what is kept of ``prompt`` and keeps it for later. Raises TooManyMarksError."""


@dataclass(slots=True)
class Automatic:
    """OpenAI and Gemini: every prompt is kept, and the longest common beginning is read in whole steps."""

    step: int
    """Tokens."""
    _kept: list[bytes] = field(default_factory=list)

    def use(self, prompt: Prompt) -> Usage:
        """See PromptCache."""
        common = max((common_beginning(prompt.content, kept) for kept in self._kept), default=0)
        self._kept.append(prompt.content)
        tokens = common // BYTES_A_TOKEN // self.step * self.step
        return Usage(prompt.tokens, read=tokens if tokens >= LEAST_TOKENS else 0, step=self.step)


@dataclass(slots=True)
class Marked:
    """Anthropic and Bedrock: prefixes are kept up to the marks, and looked for there and some segments before."""

    most_marks: int = 4
    look_back: int = 20
    _kept: set[bytes] = field(default_factory=set)

    def use(self, prompt: Prompt) -> Usage:
        """See PromptCache."""
        marks = prompt.ends
        if len(marks) > self.most_marks:
            raise TooManyMarksError(f"{len(marks)} marks, where {self.most_marks} are allowed")
        read = self._found(prompt, marks)
        self._kept |= {_digest(prompt, mark) for mark in marks if _tokens(prompt, mark) >= LEAST_TOKENS}
        last = _tokens(prompt, marks[-1]) if marks else 0
        return Usage(prompt.tokens, read=read, written=max(0, last - read) if last >= LEAST_TOKENS else 0)

    def _found(self, prompt: Prompt, marks: Sequence[int]) -> int:
        for mark in reversed(marks):
            for segment in range(mark, max(-1, mark - self.look_back - 1), -1):
                if _digest(prompt, segment) in self._kept:
                    return _tokens(prompt, segment)
        return 0


def common_beginning(one: bytes, other: bytes) -> int:
    """How many bytes two texts have in common from their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _tokens(prompt: Prompt, segment: int) -> int:
    return prompt.boundaries[segment] // BYTES_A_TOKEN


def _digest(prompt: Prompt, segment: int) -> bytes:
    return sha256(prompt.content[: prompt.boundaries[segment]]).digest()
