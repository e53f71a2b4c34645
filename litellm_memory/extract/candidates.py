"""From an exchange to candidate memories: sentence patterns find facts, and the message itself is an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from litellm_memory.extract.answers import claims_in, is_supported, restates
from litellm_memory.extract.clauses import is_question, states_nothing
from litellm_memory.extract.commands import MemoryCommand, command_in, is_plain, may_deny, may_wish, wishes_in
from litellm_memory.extract.languages import StatementRule, languages
from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.patterns import CONFIDENCE, Fact, facts_in
from litellm_memory.extract.stating import stated_in, without_request
from litellm_memory.extract.turns import episode_of, says_enough
from litellm_memory.meaning import kinds_of
from litellm_memory.models import Exchange, MemoryKind
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import frames_a_letter, sentences


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may become a memory. ``about_person``: true everywhere, so it belongs to no project."""

    text: str
    kind: MemoryKind
    confidence: float
    about_person: bool = False
    reply: str | None = None
    role: str = "person"
    """Who stated it: the ``person``, or the ``assistant`` in its answer."""
    review: str | None = None
    """Why it has to wait for review."""
    sentence: str | None = field(default=None, compare=False)
    """The sentence that it is a part of."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The candidates in an exchange, and why anything a reader might expect is not among them."""

    candidates: tuple[Candidate, ...] = ()
    ending: tuple[Candidate, ...] = ()
    """What becomes a memory only when something known is over by it."""
    dropped: tuple[str, ...] = ()


UNSUPPORTED = "the answer says it, and the person did not"
CONFIDENCE_IN_ANSWERS = 0.5
"""Lower than a fact of the person's own words, 0.7: the person only did not object."""


def extract(
    exchange: Exchange, *, patterns: bool, turns: bool, rules: Sequence[StatementRule] = (), given: Sequence[str] = ()
) -> Extraction:
    """The person's facts by pattern, the message as an episode when it says more than they do, and the answer's facts.

    ``given`` are the memories that were injected for it; an answer that repeats them states nothing new.
    """
    prose = own_prose(exchange.text)
    said = sentences(prose)
    shaped = {sentence for sentence in said if command_in(sentence)}
    wished = [wish for _, wish in wishes_in(exchange.text)]
    denies = bool(wished) and not shaped and may_deny(prose)
    # A wish in no shape that is known may be in any of its sentences, and one that names nothing is about the others.
    whole = bool(wished) and not (shaped and all(map(is_plain, wished)))
    commanded = {sentence for sentence in said if whole or sentence in shaped or (shaped and may_wish(sentence))}
    facts = facts_in([sentence for sentence in said if sentence not in commanded], rules) if patterns else ()
    over = [fact for fact in facts if fact.only_if_ends]
    facts = [fact for fact in facts if not fact.only_if_ends]
    if patterns:
        facts = [_bare(fact, rules) for fact in facts]
        facts += _stated([sentence for sentence in said if sentence not in commanded], facts)
    covered = commanded | {fact.sentence for fact in facts}
    ending = tuple(_candidate(fact) for fact in over if fact.sentence not in covered)
    found = [*map(_candidate, facts)]
    more = [sentence for sentence in said if sentence not in covered and not _says_nothing(sentence)]
    if facts and "\n\n" in prose:
        more = [line for line in more if not frames_a_letter(line)]
    # A message that wishes something of memory, or may do so, is none, whatever is said beside it.
    is_told = turns and not commanded and says_enough(more) and not may_wish(prose)
    if is_told and (episode := episode_of(exchange, prose)) is not None:
        found.append(Candidate(episode.text, "episode", 1.0, reply=episode.reply))
    nothing = turns and not (found or ending or commanded) and not all(map(is_question, said))
    if (denies or nothing) and prose.strip():
        ending = (Candidate(prose.strip(), "fact", CONFIDENCE),)
    dropped = () if found or commanded else (_why_nothing(said, turns=turns),)
    answered = _in_answer(exchange, [*given, *(fact.text for fact in facts)]) if patterns else Extraction()
    return Extraction((*found, *answered.candidates), ending, (*dropped, *answered.dropped))


def _bare(fact: Fact, own: Sequence[StatementRule]) -> Fact:
    """A fact without a request behind it; one of an operator's ``own`` rules is as the rule says."""
    is_own = any(rule.pattern.match(fact.sentence) for rule in own)
    return fact if is_own else replace(fact, text=without_request(fact.text))


def _stated(said: Sequence[str], found: Sequence[Fact]) -> list[Fact]:
    """What is worth remembering of these sentences and what patterns ``found`` in them does not tell."""
    known = {fact.sentence: [one.text for one in found if one.sentence == fact.sentence] for fact in found}
    stated = stated_in(said, known)
    kinds = kinds_of([simplified(text) for text, _ in stated])
    return [Fact(*one, kind, CONFIDENCE, about) for one, (kind, about) in zip(stated, kinds, strict=True)]


def _candidate(fact: Fact) -> Candidate:
    sentence = fact.sentence if fact.sentence != fact.text else None
    return Candidate(fact.text, fact.kind, fact.confidence, about_person=fact.about_person, sentence=sentence)


def commands_in(exchange: Exchange) -> list[MemoryCommand]:
    """What the person wants forgotten, or says is no longer true, in the order in which they said it."""
    return [command for _, command in wishes_in(exchange.text)]


def _why_nothing(said: Sequence[str], *, turns: bool) -> str:
    """Why nothing of a message is kept; ``said`` are the person's own sentences."""
    if not said:
        return "it is pasted"
    if all(map(is_question, said)):
        return "it only asks"
    return "it says too little" if turns else "no pattern fits"


def _in_answer(exchange: Exchange, known: Sequence[str]) -> Extraction:
    """The facts of a final answer made without tools; tools bring in what nobody said."""
    if exchange.reply is None or not exchange.reply.complete:
        return Extraction()
    if exchange.reply.tools:
        return Extraction(dropped=("the answer was made with tools",))
    stated = claims_in(exchange.reply.text)
    claims = [claim for claim in stated if not restates(claim, known)]
    return Extraction(
        tuple(_claimed(claim, exchange) for claim in claims),
        dropped=("the answer repeats what is known",) * (len(stated) - len(claims)),
    )


def _claimed(claim: str, exchange: Exchange) -> Candidate:
    review = None if is_supported(claim, exchange.text) else UNSUPPORTED
    return Candidate(claim, "fact", CONFIDENCE_IN_ANSWERS, role="assistant", review=review)


def _says_nothing(sentence: str) -> bool:
    return is_question(sentence) or any(states_nothing(sentence, language) for language in languages())
