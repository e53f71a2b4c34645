"""An exchange to candidate memories: sentence patterns find facts, and the message itself is an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litellm_memory.extract.answers import claims_in, is_supported, restates
from litellm_memory.extract.languages import Rule, languages
from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.patterns import facts_in
from litellm_memory.extract.sentences import frames_a_letter, is_question, sentences, states_nothing
from litellm_memory.extract.turns import episode_of, says_enough
from litellm_memory.extract.wishes import Wish, meant, wish_in
from litellm_memory.models import Exchange, MemoryKind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may become a memory. ``about_person``: true wherever it was said, so it belongs to no project."""

    text: str
    kind: MemoryKind
    confidence: float
    about_person: bool = False
    reply: str | None = None
    role: str = "person"
    """Who stated it: the person, or the ``assistant`` in its answer."""
    review: str | None = None
    """Why it has to wait for the person's word."""


UNSUPPORTED = "the answer says it, and the person did not"
CONFIDENCE_IN_ANSWERS = 0.5


def candidates(
    exchange: Exchange,
    *,
    patterns: bool,
    turns: bool,
    rules: Sequence[Rule] = (),
    given: Sequence[str] = (),
    left_out: list[str] | None = None,
) -> Sequence[Candidate]:
    """What an exchange holds: the person's facts by pattern, the message as an episode when it says more, the answer's.

    ``given`` are the memories that the model was given for it; an answer that repeats them states nothing.
    ``left_out`` is told why something is not there that a reader might look for.
    """
    prose = own_prose(exchange.text)
    said = sentences(prose)
    facts = facts_in([sentence for sentence in said if not wish_in(sentence)], rules) if patterns else ()
    found = [Candidate(fact.text, fact.kind, fact.confidence, about_person=fact.about_person) for fact in facts]
    covered = {fact.sentence for fact in facts} | {sentence for sentence in said if wish_in(sentence)}
    more = [sentence for sentence in said if sentence not in covered and not _says_nothing(sentence)]
    if facts and "\n\n" in prose:
        more = [line for line in more if not frames_a_letter(line)]
    episode = episode_of(exchange, prose) if turns and says_enough(more) else None
    if episode is not None:
        found.append(Candidate(episode.text, "episode", 1.0, reply=episode.reply))
    if left_out is not None and not found and not any(map(wish_in, said)):
        left_out.append(_why_nothing(said, turns=turns))
    if patterns:
        found += _in_answer(exchange, [*given, *(fact.text for fact in facts)], left_out)
    return found


def _why_nothing(said: Sequence[str], *, turns: bool) -> str:
    """Why nothing of a message is kept, of which these sentences are the person's own."""
    if not said:
        return "it is pasted"
    if all(map(is_question, said)):
        return "it only asks"
    return "it says too little" if turns else "no pattern fits"


def _in_answer(exchange: Exchange, known: Sequence[str], left_out: list[str] | None) -> list[Candidate]:
    """The facts of an answer that ends a turn without tools; tools bring in what nobody said."""
    if exchange.reply is None or not exchange.reply.complete:
        return []
    if exchange.reply.tools:
        if left_out is not None:
            left_out.append("the answer was made with tools")
        return []
    stated = claims_in(exchange.reply.text)
    claims = [claim for claim in stated if not restates(claim, known)]
    if left_out is not None:
        left_out += ["the answer repeats what is known"] * (len(stated) - len(claims))
    return [
        Candidate(
            claim,
            "fact",
            CONFIDENCE_IN_ANSWERS,
            role="assistant",
            review=None if is_supported(claim, exchange.text) else UNSUPPORTED,
        )
        for claim in claims
    ]


def wishes(exchange: Exchange) -> Sequence[Wish]:
    """What the person wants forgotten, or says is no longer true, in the order in which they said it."""
    return [wish for sentence in sentences(own_prose(exchange.text)) if (wish := wish_in(sentence))]


def _says_nothing(sentence: str) -> bool:
    return is_question(sentence) or any(states_nothing(sentence, language) for language in languages())


__all__ = ["Candidate", "Rule", "Wish", "candidates", "meant", "wishes"]
