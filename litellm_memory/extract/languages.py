"""The languages that people write in, as data: one YAML file each next to this module, compiled once.

Keys of a file, all regular expressions that ignore case:

``openers``  words that introduce a statement without being part of it ("by the way")
``asks``     the beginning of a question without a question mark
``unsure``   found in a sentence that supposes, doubts or reports what others say: it states nothing
``reports``  found in a sentence that reports what somebody else says
``negations`` words that turn a statement into its opposite
``possessed`` a person or thing of the person's, in the group ``what``: "my sister"
``joints``   where the next clause of a sentence begins, which may be a statement of its own
``others``   a line in a mail after which somebody else's text follows
``small``    words of small talk: a message of nothing else is not kept
``rules``    statements worth keeping: kind, about_person, pattern from the beginning of a clause
``answers``  the same in a model's answer, the text in a group ``fact``
``voice``    how an answer addresses the person, and how the person would say it
``addressed`` words that still speak to the person after that: such a statement cannot be turned round
``subjects`` what a statement is about, so that a newer one can supersede it: see ``subjects.py`` for the groups
``attributes`` things that have one value at a time ("address"), and ``numbers``, written out
``new``      words for a thing that replaced another ("my new number")
``corrections`` statements without a subject: ``value`` replaces what was said last ("it is Postgres now")
``ends``     says of ``what`` that it is no longer true
``asked``    what comes before a wish to the assistant ("can you please"), ``forgets`` its verb, and ``removes`` one
             that may be about anything ("delete")
``memory``   names the memory, or what it holds ("what I told you"), ``filler`` what else is no part of the object
``beyond``   leads from the object of a task to where it is ("from the form"), ``pause`` names this conversation
``extent``   how much a wish is about, by groups: ``rest`` all else than it names, ``stays`` that this is kept, ``but``
             all except what follows, ``everything`` all about the person
``over``     words of a part of a sentence that tells what is over, ``ended`` those that deny what was true
``moved``    the former value ``was`` of what changed "from" it, ``cuts`` where the next part begins
``passing``  words of change and of time that are no part of what is said, ``linking`` those that only join
``denials``  how a denial becomes the sentence that it denies: each pattern, and what takes its place
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from litellm_memory.models import MemoryKind
from litellm_memory.text.words import words

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it, which is ten times as fast: every process that reads the rules waits for that."""
_PATTERNS: Final = (
    "asks negations possessed joints addressed new over ended cuts passing forgets removes memory filler beyond pause"
    " extent"
).split()
_WORDS: Final = "small attributes numbers linking".split()
LONGEST: Final = 500
"""Characters of a sentence that patterns read: nobody states one fact, or makes one wish, in a longer one. Many have
several open ends, so the time that they take grows faster than the text."""
FILES = sorted(Path(__file__).parent.glob("*.yaml"))


@dataclass(frozen=True, slots=True)
class StatementRule:
    """What states something worth keeping. ``about_person``: true wherever it is said, so it belongs to no project."""

    kind: MemoryKind
    pattern: re.Pattern[str]
    """Matched from a clause's beginning. A group ``fact`` is what is kept; without one, the whole clause."""
    about_person: bool = False


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """How a language says what a statement is about."""

    subject: str
    pattern: re.Pattern[str]
    start: re.Pattern[str]
    """Tried first; it keeps patterns whose parts may all be missing from matching everything."""
    pair: bool = False
    """``value`` and ``was`` are both part of what it is about: one of the two is preferred."""


@dataclass(frozen=True, slots=True)
class Language:
    """How people state, ask and doubt in one language."""

    name: str
    openers: re.Pattern[str]
    asks: re.Pattern[str]
    unsure: re.Pattern[str]
    reports: re.Pattern[str]
    negations: re.Pattern[str]
    possessed: re.Pattern[str]
    joints: re.Pattern[str]
    others: re.Pattern[str]
    small: frozenset[str]
    rules: tuple[StatementRule, ...]
    answers: tuple[StatementRule, ...]
    voice: tuple[tuple[re.Pattern[str], str], ...]
    addressed: re.Pattern[str]
    subjects: tuple[SubjectRule, ...]
    attributes: frozenset[str]
    numbers: frozenset[str]
    new: re.Pattern[str]
    corrections: tuple[re.Pattern[str], ...]
    ends: tuple[re.Pattern[str], ...]
    over: re.Pattern[str]
    ended: re.Pattern[str]
    moved: tuple[re.Pattern[str], ...]
    cuts: re.Pattern[str]
    passing: re.Pattern[str]
    linking: frozenset[str]
    denials: tuple[tuple[re.Pattern[str], str], ...]
    asked: re.Pattern[str]
    forgets: re.Pattern[str]
    removes: re.Pattern[str]
    memory: re.Pattern[str]
    filler: re.Pattern[str]
    beyond: re.Pattern[str]
    pause: re.Pattern[str]
    extent: re.Pattern[str]


@cache
def languages() -> tuple[Language, ...]:
    """Every language that there is a file for."""
    return tuple(_language(path.stem, yaml.load(path.read_text(encoding="utf-8"), _LOADER)) for path in FILES)


def _language(name: str, data: Mapping[str, Any]) -> Language:
    tables: dict[str, Any] = {name: _compiled(data[name]) for name in _PATTERNS}
    tables |= {name: _words(data[name]) for name in _WORDS}
    return Language(
        name=name,
        openers=_compiled(rf"(?:(?:{data['openers']})[\s,，:!！.]+)+"),
        unsure=_any(data["unsure"]),
        reports=_any(data["reports"]),
        others=_any(data["others"]),
        rules=tuple(
            StatementRule(rule["kind"], _compiled(rule["pattern"]), rule.get("about_person", False))
            for rule in data["rules"]
        ),
        answers=tuple(StatementRule("fact", _compiled(pattern), about_person=False) for pattern in data["answers"]),
        voice=tuple((_compiled(pattern), instead) for pattern, instead in data["voice"]),
        subjects=tuple(
            SubjectRule(
                rule["subject"], _compiled(rule["pattern"]), _compiled(rule.get("start", "")), rule.get("pair", False)
            )
            for rule in data["subjects"]
        ),
        corrections=tuple(map(_compiled, data["corrections"])),
        ends=tuple(map(_compiled, data["ends"])),
        moved=tuple(map(_compiled, data["moved"])),
        denials=tuple((_compiled(pattern), instead) for pattern, instead in data["denials"]),
        asked=_compiled(rf"(?:{data['asked']}(?:[\s,，:!！.]+|(?<=[\u3400-\u9fff])|$))*"),
        **tables,
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(word for given in text.split() for word in words(given))


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return _compiled("|".join(f"(?:{pattern})" for pattern in patterns))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
