"""The quarantine: passages of an exchange that try to steer a model are kept apart until their owner reviews them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from litellm_memory.extract import Candidate
from litellm_memory.extract.pastes import CODE
from litellm_memory.models import Exchange
from litellm_memory.screening import shown_aim, suspicious

MAX_PASSAGES = 3
"""At most this many passages of one text are quarantined: they show what the rest is."""
MAX_CHARACTERS = 2000
"""At most this many characters of a passage are quarantined."""


def with_quarantined(exchange: Exchange, found: Sequence[Candidate]) -> list[Candidate]:
    """``found`` without replies that need review, followed by suspicious passages that would otherwise be lost.

    A passage in no candidate (in a web page, in a question, in a tag of ours) could come back in other words, so its
    owner is shown it.
    """
    kept = [replace(candidate, reply=None) if _needs_review(candidate.reply) else candidate for candidate in found]
    quarantined: list[Candidate] = []
    if not any(candidate.role == "person" and _needs_review(candidate.text) for candidate in found):
        quarantined += _passages(exchange.text, role="person")
    for reply in {candidate.reply: None for candidate in found if candidate.reply and _needs_review(candidate.reply)}:
        quarantined += _passages(reply, role="assistant")
    return [*kept, *quarantined]


def _needs_review(text: str | None) -> bool:
    return text is not None and shown_aim(text) is not None


def _passages(text: str, *, role: str) -> Iterable[Candidate]:
    for passage, reason in islice(suspicious(CODE.sub("", text)), MAX_PASSAGES):
        yield Candidate(passage[:MAX_CHARACTERS], "episode", 1.0, role=role, review=reason)
