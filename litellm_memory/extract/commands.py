"""Wishes about memory in what a person says: to forget something, to pause, or that something is no longer true."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from litellm_memory.extract.changes import ARTICLES, CACHED, affirmed, among, linking
from litellm_memory.extract.clauses import is_question, states_nothing
from litellm_memory.extract.languages import LONGEST, Language, languages
from litellm_memory.extract.pastes import own_prose
from litellm_memory.meaning import MOST_CHARACTERS, available, needed, nets, vectors
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import one_spaced, sentences
from litellm_memory.text.who import ADDRESSED, MINE, TODAY
from litellm_memory.text.words import words

ASKS_TO_FORGET: Final = "it asks to forget memory "
"""Why a wish waits for review: the ids of what it may mean follow. Who accepts it has them forgotten."""
MAX_TARGETS: Final = 3
"""A wish that is about more memories than these is too vague to be carried out without a question."""
MEANT, ASKED = 0.25, 0.6
"""Probability from which a message is taken for a wish about memory, and from which a question is that says "you" to
nobody. Of 800 messages of people's days, from which no net has learned, 4 have as much; of the wishes of ten rounds of
strangers, which chose both, 561 of 620 do."""
NEARLY: Final = 0.1
"""Probability from which a sentence beside a wish is a part of it, and from which a message is not kept whole."""
DENIED: Final = 0.65
"""Probability below which it may deny what is known instead: "I never said that I own a flat in Lisbon"."""
PAUSED: Final = 0.4
"""Probability from which it is taken for a wish that nothing of the conversation be remembered: all that is said in it
later would be lost."""
A_WORD: Final = 0.2
"""A shared word counts as much as this cosine."""
LEAST_LIKE, AS_LIKE = 0.3, 0.03
"""A wish is about what is this much like it, and about all that is nearly as much like it as the likeliest."""
LEAST_NEED: Final = 0.3
"""Probability of the need for a memory from which a wish is about it too: who wishes all about their mother forgotten
names neither her illness nor her home."""
MOST_ASKED: Final = 6
"""Memories that an owner is asked about for a wish that names none by its words."""
LONGEST_OBJECT: Final = 4
"""Words of a possession ("delete my old phone number") for which it is asked whether memory is meant."""

_CLAUSE: Final = re.compile(
    r"[,;，；]\s*(?!(?:was|die|das|dass|den|der|que|ce que|lo que|qui|what|that|which)\b)|\s[–—-]\s|:\s"
)
_JOINT: Final = re.compile(
    r"\s(?:so|and|but|because|since|also|und|aber|weil|denn|daher|et|mais|car|donc|y|pero|porque)\s"
)
_END: Final = " .!?。！？…\"')"


@dataclass(frozen=True, slots=True)
class MemoryCommand:
    """A wish about memory.

    ``forget``: what is known of ``what`` is removed. ``end``: it is kept as history and no longer in force.
    ``pause``: nothing is learned of this conversation, or of any for a day.
    """

    action: Literal["forget", "end", "pause"]
    what: str
    sure: bool = True
    """False when its owner is asked first: it may mean something else, or more than it seems."""
    all_day: bool = False
    """Of a pause: it holds for every conversation, for a day."""


@lru_cache(maxsize=CACHED)
def command_in(sentence: str) -> MemoryCommand | None:
    """The wish in a sentence; None when there is none."""
    sentence = sentence[:LONGEST]
    plain = simplified(one_spaced(sentence.replace("’", "'"))).lstrip("¿¡")
    for language in languages():
        if states_nothing(_bare(plain, language), language):
            return None
    for language in languages():
        if (ended := _ended(plain, language)) is not None:
            return ended
        for clause in _openings(plain):
            if (wish := _wish(_bare(clause, language), language)) is not None:
                return wish
    return None


def wishes_in(text: str) -> list[tuple[str, MemoryCommand]]:
    """The wishes in a message, each with its sentence, in order; those of what was pasted do not count."""
    return [*_wishes(own_prose(text), net=available())]


@lru_cache(maxsize=CACHED)
def _wishes(prose: str, *, net: bool) -> tuple[tuple[str, MemoryCommand], ...]:
    """As ``wishes_in``; asked of a message before it is learned, while, and afterwards."""
    clear = tuple((said, wish) for said in sentences(prose) if (wish := command_in(said)) is not None)
    meant = meant_in(prose) if net and not clear and len(prose) <= MOST_CHARACTERS else None
    return ((prose, meant),) if meant else clear


def meant_in(text: str) -> MemoryCommand | None:
    """The wish that a message makes in no shape that is known, as a net reads it; None when it makes none.

    Its owner is asked.
    """
    return _meant(text) if text.strip() and available() else None


def may_deny(text: str) -> bool:
    """True when what may be a wish, as a net reads it, may as well say that something known is not so."""
    return affirmed(text) is not None and bool(text.strip()) and available() and _likely(text)[0].max() < DENIED


def may_wish(text: str) -> bool:
    """True when a net takes it to be possible that a text or one of its sentences wishes something of memory."""
    return bool(text.strip()) and len(text) <= MOST_CHARACTERS and available() and _likely(text).max() >= NEARLY


@lru_cache(maxsize=CACHED)
def _meant(text: str) -> MemoryCommand | None:
    forget, pause = _likely(text)
    # Of a pause the whole has to speak: "don't guard for it" is one only where nothing stands beside it.
    if pause.max() > max(forget.max(), PAUSED) and pause[0] >= MEANT:
        return _pause(text)
    # The whole says best what is meant; a sentence among others that ask for something else may drown in it.
    parts = _parts(text)
    likely = forget >= [ASKED if is_question(part) and not ADDRESSED.search(part) else MEANT for part in parts]
    whole = likely[0] or pause[0] >= MEANT
    meant = text if whole else " ".join(np.array(parts, object)[likely])
    return MemoryCommand("forget", meant, sure=False) if meant else None


def _likely(text: str) -> NDArray[np.float32]:
    """How likely the message and each of its sentences wish something forgotten, and how likely a pause."""
    return nets().wishes.probabilities([simplified(part) for part in _parts(text)]).T


def _parts(text: str) -> list[str]:
    return [text, *(said for said in sentences(text) if said != text)]


def targets_of(command: MemoryCommand, texts: Iterable[str]) -> list[str]:
    """The texts that contain every word of what a wish names; none when that is too vague."""
    fitting = named_by(command, texts)
    return fitting if len(fitting) <= MAX_TARGETS else []


def named_by(command: MemoryCommand, texts: Iterable[str]) -> list[str]:
    """The texts that contain every word of what a wish names, in any form; all of them when it names none."""
    wanted = frozenset(words(command.what)) - ARTICLES
    return [text for text in texts if among(wanted, frozenset(words(text))) == wanted]


def broad(sentence: str, wish: MemoryCommand, texts: Sequence[str]) -> list[str] | None:
    """What a wish about all that is known of a person is about, or about all but what it names; None for another.

    Of a wish in a known shape, its own clause alone says so: in "forget my number, nothing else" it is the number's.
    """
    shaped = command_in(sentence) is not None
    plain = simplified((sentence if shaped else wish.what).replace("’", "'"))
    clauses = [part for said in sentences(plain) for part in _CLAUSE.split(said)]
    wishing = [clause for clause in clauses if command_in(clause) is not None] if shaped else clauses
    for language in languages():
        if kept := [clause for clause in wishing if "but" in _extent(clause, language)]:
            return _all_but(kept, texts)
        parts = [part for clause in wishing for part in _JOINT.split(clause)]
        rest = [part for part in parts if "rest" in _extent(part, language)]
        if rest and not any(_stays(part, language) for part in rest):
            return _all_but([part for part in parts if part not in rest] or rest, texts)
        if not rest and any("everything" in _extent(clause, language) for clause in wishing):
            return [*texts]
    return None


def _extent(part: str, language: Language) -> set[str | None]:
    """How much a part of a wish says to be about: the groups of ``extent`` that it shows."""
    return {match.lastgroup for match in language.extent.finditer(part)}


def _stays(part: str, language: Language) -> bool:
    return "stays" in _extent(part, language) or language.negations.search(part) is not None


def _all_but(named: Sequence[str], texts: Sequence[str]) -> list[str]:
    kept = {text for part in named for text in _like(MemoryCommand("forget", part), texts)}
    return [text for text in texts if text not in kept]


def likeliest(command: MemoryCommand, texts: Sequence[str]) -> list[str]:
    """The texts that a wish most probably means, by shared words and by meaning; none when nothing is like it."""
    return _like(command, texts, apart=AS_LIKE)[:MOST_ASKED]


def _like(command: MemoryCommand, texts: Sequence[str], *, apart: float = 1.0) -> list[str]:
    """All texts that are like what a wish names, or that it needs, likeliest first; those too that are less like it by
    no more than ``apart``."""
    if not texts or not command.what:
        return []
    wanted = _object(command.what)
    scores = np.array([len(among(wanted, frozenset(words(text)))) for text in texts], np.float32).clip(max=3) * A_WORD
    needs = np.zeros(len(texts), np.float32)
    if available():
        wished, *known = (simplified(text[:MOST_CHARACTERS]) for text in (command.what, *texts))
        read = vectors([wished, *known])
        scores += read[1:] @ read[0]
        needs = needed(wished, known)
    best = float(scores.max())
    near = np.flatnonzero((scores >= max(LEAST_LIKE, best - apart)) | (needs >= LEAST_NEED))
    return [texts[place] for place in near[np.argsort(-(scores + needs)[near])]]


def _object(text: str) -> frozenset[str]:
    """The words of a wish without those that wish, in any language."""
    plain = simplified(text.replace("’", "'"))
    for language in languages():
        for pattern in (language.forgets, language.removes, language.memory, language.filler):
            plain = pattern.sub(" ", plain)
    return frozenset(words(plain)) - ARTICLES - linking()


def is_plain(command: MemoryCommand) -> bool:
    """True when a wish names something by more than words that join ("where I live")."""
    return bool(frozenset(words(command.what)) - ARTICLES - linking())


def _bare(plain: str, language: Language) -> str:
    return language.openers.sub("", plain, count=1) if language.openers.match(plain) else plain


def _ended(plain: str, language: Language) -> MemoryCommand | None:
    if is_question(plain):
        return None
    match = next((match for pattern in language.ends if (match := pattern.fullmatch(_bare(plain, language)))), None)
    return MemoryCommand("end", match["what"].rstrip(_END)) if match and words(match["what"]) else None


def _openings(plain: str) -> Iterator[str]:
    """The sentence, and each of its clauses, up to the next one."""
    parts = [part for clause in _CLAUSE.split(plain) for part in _JOINT.split(clause) if part.strip()]
    yield from parts
    if len(parts) > 1:
        yield plain


def _wish(clause: str, language: Language) -> MemoryCommand | None:
    asked = language.asked.match(clause)
    begin = asked.end() if asked else 0
    said = clause[begin:].strip(_END)
    for verb in (language.forgets, language.removes):
        match = verb.match(said) or (verb.search(said) if begin or language.memory.search(said) else None)
        if match is None or _is_negated(said, match, language):
            continue
        meant = f"{said[: match.start()]} {said[match.end() :]}"
        wish = _of(meant, language, match)
        if wish is not None:
            return wish
    return None


def _of(meant: str, language: Language, verb: re.Match[str]) -> MemoryCommand | None:
    """The wish about an object; None when it is about something else than memory."""
    memory, first = language.memory.search(meant) is not None, verb.start() == 0
    keeps, forgets = bool(verb.groupdict().get("keeps")), verb.re is language.forgets
    if forgets and language.pause.search(meant):
        return _pause(meant)
    what = " ".join(language.filler.sub(" ", language.memory.sub(" ", meant)).split()).strip(" ,;:." + _END)
    named = frozenset(words(what)) - ARTICLES
    if not named:
        return MemoryCommand("forget", "", sure=False) if memory else None
    if memory:
        return MemoryCommand("forget", what, sure=first or forgets)
    if not MINE.search(meant):
        plain = forgets and first and not keeps and len(named) <= LONGEST_OBJECT
        return MemoryCommand("forget", what) if plain else None
    elsewhere = language.beyond.search(meant) or len(named) > LONGEST_OBJECT
    if elsewhere and (keeps or not forgets):
        return None
    return MemoryCommand("forget", what, sure=forgets)


def _pause(text: str) -> MemoryCommand:
    return MemoryCommand("pause", "", all_day=TODAY.search(simplified(text.replace("’", "'"))) is not None)


def _is_negated(said: str, verb: re.Match[str], language: Language) -> bool:
    """True for "do not forget": what comes before the verb, or in some languages after it, turns it round."""
    if verb.groupdict().get("keeps"):
        return False
    around = f"{said[: verb.start()]} {said[verb.end() :]}" if language.name == "de" else said[: verb.start()]
    return bool(language.negations.search(around))
