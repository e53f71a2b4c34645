"""What of an exchange wants to steer a model: kept apart and shown to its owner, and recalled only after his word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from litellm_memory.extract import Candidate
from litellm_memory.extract.pastes import CODE
from litellm_memory.models import Exchange
from litellm_memory.screening import suspicious, why_to_review

MOST = 3
"""Passages of one text that are held back: who has seen these knows what the rest is."""
LONGEST = 2000
"""Characters of a passage that is held back."""


def with_held_back(exchange: Exchange, found: Sequence[Candidate]) -> list[Candidate]:
    """``found`` without replies that must wait, and behind it what must wait and would otherwise vanish unseen.

    A passage that no candidate holds (a page's text, a question, a tag of our own) could come back in other words, so
    its owner is told of it.
    """
    kept = [replace(candidate, reply=None) if _waits(candidate.reply) else candidate for candidate in found]
    held: list[Candidate] = []
    if not any(candidate.role == "person" and _waits(candidate.text) for candidate in found):
        held += _passages(exchange.text, role="person")
    for reply in {candidate.reply: None for candidate in found if candidate.reply and _waits(candidate.reply)}:
        held += _passages(reply, role="assistant")
    return [*kept, *held]


def _waits(text: str | None) -> bool:
    return text is not None and why_to_review(text) is not None


def _passages(text: str, *, role: str) -> Iterable[Candidate]:
    for passage, reason in islice(suspicious(CODE.sub("", text)), MOST):
        yield Candidate(passage[:LONGEST], "episode", 1.0, role=role, review=reason)
