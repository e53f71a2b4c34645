"""Facts that a model's answer states about the person, in the person's voice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litellm_memory.extract.clauses import is_question
from litellm_memory.extract.languages import LONGEST, Language, languages
from litellm_memory.extract.pastes import own_prose
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import sentences
from litellm_memory.text.words import words

SUPPORTED = 0.75
"""A claim is supported when the person's own message contains at least this share of its words."""
RESTATED = 0.75
"""A claim is a repetition when a known text contains at least this share of its words."""

REPEATED = 0.5
"""An answer used a text when it repeats this share of the words that one of its sentences has and the question has not,
and at least two of them unless there is only one."""


def claims_in(answer: str) -> list[str]:
    """The answer's claims about the person: "I'll remember that your dog is called Rex" gives "my dog is called
    Rex"."""
    found: dict[str, None] = {}
    for sentence in sentences(own_prose(answer)):
        plain = sentence.replace("’", "'").strip("* ")
        if len(plain) <= LONGEST and not is_question(plain):
            found |= dict.fromkeys(_claims(plain))
    return list(found)


def _claims(sentence: str) -> list[str]:
    for language in languages():
        for rule in language.answers:
            match = rule.pattern.match(simplified(sentence))
            if match is not None:
                turned = _in_their_voice(sentence[slice(*match.span("fact"))].strip(), language)
                # What still speaks to the person cannot be said in their voice: "peanuts make you ill".
                return [] if language.addressed.search(turned) else [turned]
    return []


def _in_their_voice(fact: str, language: Language) -> str:
    for pattern, instead in language.voice:
        fact = pattern.sub(instead, fact)
    return fact


def is_supported(claim: str, said: str) -> bool:
    """True when the person's own message contains nearly every word of the claim."""
    return _share(claim, words(said)) >= SUPPORTED


def restates(claim: str, known: Sequence[str]) -> bool:
    """True when one of the known texts contains nearly every word of the claim."""
    return any(_share(claim, words(text)) >= RESTATED for text in known)


def is_used(text: str, question: str, answer: str) -> bool:
    """True when an answer says what a text says and its question does not."""
    asked, said = set(words(question)), set(words(answer))
    told = [set(words(sentence)) - asked for sentence in sentences(text)]
    return any(len(one & said) >= max(REPEATED * len(one), min(2, len(one))) for one in told if one)


def _share(claim: str, known: Iterable[str]) -> float:
    wanted = set(words(claim))
    return len(wanted & set(known)) / len(wanted) if wanted else 1.0
