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
``subjects`` what a statement is about, so that a newer one can supersede it: see ``subjects.py`` for the groups
``attributes`` things that have one value at a time ("address"), and ``numbers``, written out
``new``      words for a thing that replaced another ("my new number")
``corrections`` statements without a subject: ``value`` replaces what was said last ("it is Postgres now")
``forget``   commands to forget ``what``, and ``ends``: ``what`` is no longer true
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from litellm_memory.models import MemoryKind
from litellm_memory.text.words import words

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
    subjects: tuple[SubjectRule, ...]
    attributes: frozenset[str]
    numbers: frozenset[str]
    new: re.Pattern[str]
    corrections: tuple[re.Pattern[str], ...]
    forget: tuple[re.Pattern[str], ...]
    ends: tuple[re.Pattern[str], ...]


@cache
def languages() -> tuple[Language, ...]:
    """Every language that there is a file for."""
    return tuple(_language(path.stem, yaml.safe_load(path.read_text(encoding="utf-8"))) for path in FILES)


def _language(name: str, data: Mapping[str, Any]) -> Language:
    return Language(
        name=name,
        openers=_compiled(rf"(?:(?:{data['openers']})[\s,，:!！.]+)+"),
        asks=_compiled(data["asks"]),
        unsure=_any(data["unsure"]),
        reports=_any(data["reports"]),
        negations=_compiled(data["negations"]),
        possessed=_compiled(data["possessed"]),
        joints=_compiled(data["joints"]),
        others=_any(data["others"]),
        small=_words(data["small"]),
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
        attributes=_words(data["attributes"]),
        numbers=_words(data["numbers"]),
        new=_compiled(data["new"]),
        corrections=tuple(map(_compiled, data["corrections"])),
        forget=tuple(map(_compiled, data["forget"])),
        ends=tuple(map(_compiled, data["ends"])),
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(word for given in text.split() for word in words(given))


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return _compiled("|".join(f"(?:{pattern})" for pattern in patterns))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
