"""The memories in an exchange: extracted, screened, with ids that make learning idempotent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from litellm_memory.extract import Candidate, StatementRule, extract
from litellm_memory.extract.pairs import read_together
from litellm_memory.learn.quarantine import with_quarantined
from litellm_memory.models import Block, Exchange, Memory, Origin, memory_id
from litellm_memory.screening import why_to_review
from litellm_memory.settings import LearnSettings


@dataclass(frozen=True, slots=True)
class Made:
    """The memories of one exchange, and why anything a reader might expect is not among them."""

    memories: tuple[Memory, ...]
    dropped: tuple[str, ...] = ()
    only_if_ends: frozenset[str] = frozenset()
    """Ids of those that are kept only when something known is over by them."""

    def to_review(self, reason: str, exchange: Exchange, key: bytes) -> Made:
        """These memories, with ids of their own, as they wait for their owner's word."""
        space, when = exchange.scope.namespace, exchange.said.isoformat()
        return Made(
            tuple(
                replace(memory, id=memory_id(space, memory.id, when, key=key), review=memory.review or reason)
                for memory in self.memories
                if memory.id not in self.only_if_ends
            ),
            self.dropped,
        )


def memories_of(exchange: Exchange, settings: LearnSettings, key: bytes, *, block: Block | None = None) -> Made:
    """The memories of an exchange, to which ``block`` was injected; deterministic, including the ids."""
    rules = [StatementRule(rule.kind, rule.pattern, rule.about_person) for rule in settings.rules]
    given = [memory.text for memory in block.given] if block else []
    found = extract(exchange, patterns=settings.patterns, turns=settings.turns, rules=rules, given=given)
    screened = with_quarantined(exchange, found.candidates) if settings.patterns or settings.turns else ()
    memories = [memory_from(exchange, candidate, str(ordinal), key) for ordinal, candidate in enumerate(screened)]
    ending = [memory_from(exchange, one, f"over {ordinal}", key) for ordinal, one in enumerate(found.ending)]
    return Made((*ending, *memories), found.dropped, frozenset(memory.id for memory in ending))


def memories_of_each(exchanges: Sequence[Exchange], settings: LearnSettings, key: bytes) -> list[Made]:
    """As ``memories_of`` for each exchange, for a part of the time."""
    read_together([exchange.text for exchange in exchanges])
    return [memories_of(exchange, settings, key) for exchange in exchanges]


def memory_from(exchange: Exchange, candidate: Candidate, name: str, key: bytes) -> Memory:
    """The memory of a candidate. Its id is derived from the message and ``name``, so that a repeat is idempotent."""
    scope = exchange.scope
    return Memory(
        id=memory_id(scope.namespace, exchange.mark, name, key=key),
        partition=scope.partition,
        user=scope.user,
        text=candidate.text,
        kind=candidate.kind,
        created=datetime.now(UTC),
        valid_from=exchange.said,
        project=None if candidate.about_person else scope.project,
        session=scope.session,
        origin=Origin(candidate.role, scope.client, exchange.id),
        confidence=candidate.confidence,
        reply=candidate.reply,
        message=exchange.mark,
        conversation=scope.conversation,
        review=candidate.review or next(filter(None, map(why_to_review, _read_for(candidate))), None),
    )


def _read_for(candidate: Candidate) -> Iterator[str]:
    """Its text and, of a part of a sentence, the whole: the rest of it may show what it is after."""
    yield candidate.text
    if candidate.sentence is not None:
        yield candidate.sentence
