"""Redaction under the current settings: the one place that knows whether it is on, and which custom words it covers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from litellm_memory.models import Memory
from litellm_memory.redact.rules import redact


class RedactionSettings(Protocol):
    """The part of the settings that configures redaction."""

    @property
    def redact(self) -> bool:
        """False: secrets are stored and shown."""

    @property
    def redact_words(self) -> tuple[str, ...]:
        """Custom words that are secrets too."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Redacts secrets and ``words`` in texts and memories; with ``on`` False it returns them unchanged."""

    on: bool = True
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: RedactionSettings) -> Redactor:
        """The redactor for these settings."""
        return cls(settings.redact, settings.redact_words)

    @property
    def always(self) -> Redactor:
        """A redactor for the same words that is always on, even where the settings switch redaction off."""
        return self if self.on else Redactor(words=self.words)

    def text(self, text: str) -> str:
        """``text`` with every secret and word replaced by ``[REDACTED:kind]``."""
        return redact(text, self.words) if self.on else text

    def memory(self, memory: Memory) -> Memory:
        """``memory`` with its texts and tags redacted; itself when there is nothing to redact."""
        return _redacted(memory, self.words) if self.on else memory


# Cached, because a memory is recalled many times, and applying all rules to its texts takes about 0.1 ms.
@lru_cache(4096)
def _redacted(memory: Memory, words: tuple[str, ...]) -> Memory:
    clean = replace(
        memory,
        text=redact(memory.text, words),
        tags=tuple(redact(tag, words) for tag in memory.tags),
        reply=memory.reply and redact(memory.reply, words),
        review=memory.review and redact(memory.review, words),
    )
    return memory if clean == memory else clean
