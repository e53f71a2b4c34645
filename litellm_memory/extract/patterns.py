"""Sentence patterns for what people say of themselves, decide and wish. A table: kind, about the person, pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litellm_memory.extract.sentences import is_question
from litellm_memory.models import MemoryKind

LONGEST = 500
"""Characters. Nobody states one fact in a longer sentence."""
CONFIDENCE = 0.7
"""Of a fact found by pattern; predecessors of this product use the same."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence of the person that states something worth keeping."""

    text: str
    sentence: str
    kind: MemoryKind
    confidence: float
    about_person: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: MemoryKind
    about_person: bool
    pattern: re.Pattern[str]
    """When it has a group ``fact``, that is what is kept; otherwise the whole sentence."""


def _rule(kind: MemoryKind, about_person: bool, pattern: str) -> _Rule:
    return _Rule(kind, about_person, re.compile(pattern, re.IGNORECASE | re.DOTALL))


_HERE = r"(?!.*\b(?:this|the) (?:project|repo|repository|codebase|branch|file|task)\b)"
RULES: tuple[_Rule, ...] = (
    _rule("instruction", False, r"^(?:please\s+)?(?:from now on|going forward|in (?:the )?future)\b.{3,}"),
    _rule("instruction", False, r"^(?:please\s+)?(?:always|never)\s+\w.{3,}"),
    _rule("fact", False, r"^(?:please\s+|and\s+)?(?:remember|note|keep in mind|don'?t forget)(?:\s+that|:|,)\s+(?P<fact>.{3,})"),
    _rule("preference", True, rf"^{_HERE}i(?:'d| would)?\s+(?:really\s+)?(?:prefer|like|love|hate|dislike|can'?t stand)\s+(?!to (?:know|see|ask|have you)\b).{{2,}}"),
    _rule("preference", True, r"^my (?:favou?rite|preferred)\s+.{2,}\b(?:is|are)\b.{2,}"),
    _rule("fact", True, r"^(?:my name is|call me|i go by|you can call me)\s+.{2,}"),
    _rule("fact", True, r"^i(?:'m| am)\s+(?:an?|the|from|based|allergic|vegan|vegetarian|married|\d{1,3}\s+years)\b.{0,}"),
    _rule("fact", True, r"^i\s+(?:just\s+|recently\s+)?(?:live|lived|moved|work|worked|study|studied|grew up|was born|own|speak)\s+.{2,}"),
    _rule("decision", False, r"^(?:we|i)(?:'ve| have)?\s+(?:just\s+)?(?:decided|agreed|chose|switched|migrated|settled)\s+.{3,}"),
    _rule("fact", False, r"^(?:my|our)\s+(?!question\b|problem\b|issue\b|guess\b|point\b)[\w' -]{2,60}?\s+(?:is|are|was|were|has|have|runs?|lives?|uses?)\s+.{2,}"),
    _rule("fact", False, r"^we\s+(?:use|deploy|host|run|store|keep|ship|release)\s+.{3,}"),
)  # fmt: skip


def facts_in(said: Iterable[str]) -> Sequence[Fact]:
    """The facts that these sentences state, each once. Questions and suppositions state none."""
    found: dict[str, Fact] = {}
    for sentence in said:
        if len(sentence) > LONGEST or is_question(sentence) or _SUPPOSES.match(sentence):
            continue
        fact = next((_fact(rule, match) for rule in RULES if (match := rule.pattern.match(sentence))), None)
        if fact is not None:
            found.setdefault(fact.text, fact)
    return list(found.values())


_SUPPOSES = re.compile(r"(?i)^(?:if|suppose|imagine|let'?s say|assume|what if|maybe|perhaps)\b")


def _fact(rule: _Rule, match: re.Match[str]) -> Fact:
    text = match.groupdict().get("fact") or match.string
    return Fact(text.strip(), match.string, rule.kind, CONFIDENCE, rule.about_person)
