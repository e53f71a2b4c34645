"""Redaction under the current settings: the one place that knows whether it is on, and which custom words it covers.

Every text that is stored, shown or sent passes here, so here it also loses what no reader sees, whatever the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, TypeAlias

from litellm_memory.models import Memory, Recalled
from litellm_memory.redact.rules import redact
from litellm_memory.text.visible import visible

_Texts: TypeAlias = tuple[str, str | None, str | None, tuple[str, ...]]
"""The text, reply, review and tags of a memory."""


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
    """Takes secrets, ``words`` and unseen characters out of texts and memories; with ``on`` False only the last."""

    on: bool = True
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: RedactionSettings) -> Redactor:
        """The redactor for these settings."""
        return cls(settings.redact, settings.redact_words)

    @classmethod
    def of_the_unseen(cls) -> Redactor:
        """One that leaves secrets: it takes out only what no reader sees."""
        return cls(on=False)

    @property
    def always(self) -> Redactor:
        """A redactor for the same words that is always on, even where the settings switch redaction off."""
        return self if self.on else Redactor(words=self.words)

    def text(self, text: str) -> str:
        """``text`` as a reader sees it, with every secret and word replaced by ``[REDACTED:kind]``."""
        return redact(visible(text), self.words) if self.on else visible(text)

    def memory(self, memory: Memory) -> Memory:
        """``memory`` with its texts and tags redacted; itself when there is nothing to redact."""
        texts = (memory.text, memory.reply, memory.review, memory.tags)
        clean = _redacted(texts, self)
        if clean == texts:
            return memory
        text, reply, review, tags = clean
        return replace(memory, text=text, reply=reply, review=review, tags=tags)

    def recalled(self, recalled: Recalled) -> Recalled:
        """``recalled`` with its memory redacted; itself when there is nothing to redact."""
        clean = self.memory(recalled.memory)
        return recalled if clean is recalled.memory else replace(recalled, memory=clean)


# Cached, because a memory is recalled many times, and applying all rules to its texts takes about 0.1 ms. By its texts,
# because they stay the same when it is used, and because hashing all of a memory takes longer than rendering it.
@lru_cache(4096)
def _redacted(texts: _Texts, redactor: Redactor) -> _Texts:
    text, reply, review, tags = texts
    clean = redactor.text
    return clean(text), reply and clean(reply), review and clean(review), tuple(map(clean, tags))
