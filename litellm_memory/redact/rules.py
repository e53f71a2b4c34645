"""The rules of secrets.yaml, and how they are applied to a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, TypeAlias

import yaml

from litellm_memory.redact.checks import CHECKS, Check, random
from litellm_memory.redact.folding import folded
from litellm_memory.redact.pieces import each_match

Span: TypeAlias = tuple[int, int]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it, which is ten times as fast: every process that reads the rules waits for that."""
_MARK: Final = "[REDACTED:"
LEAST_GLUED: Final = 4
"""Letters of a token's beginning that are enough to know it by within a longer word."""
_JOINS: Final = re.compile(r"[A-Za-z0-9_-]")
_ALONE: Final = r"(?<!(?<!\\)[A-Za-z0-9_-])"
"""Lookbehind for the start of a token. A letter after a backslash may precede it: an escape in a string literal."""


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One shape of a secret. ``hints``: the pattern is skipped for a text that contains none of them in lower case."""

    kind: str
    pattern: re.Pattern[str]
    in_lower: bool
    hints: tuple[str, ...]
    check: Check | None
    glued: bool = False
    """What stands directly before a match may be part of a word; the match must look random then."""

    @property
    def mark(self) -> str:
        """What stands in the place of the secret."""
        return f"[REDACTED:{self.kind}]"

    def spans_in(self, text: str, lower: str) -> list[Span]:
        """Where this rule's secrets are in ``text``; ``lower`` is the same text in lower case, with equal offsets."""
        spans = (self._secret(text, found) for found in each_match(self.pattern, lower if self.in_lower else text))
        return [(start, stop) for start, stop in spans if start < stop]

    def _secret(self, text: str, found: re.Match[str]) -> tuple[int, int]:
        """The span of the secret in a match; an empty span when it is no secret, or already redacted."""
        start, stop = found.span("secret" if "secret" in self.pattern.groupindex else 0)
        value = text[start:stop]
        check = random if self.glued and start and _JOINS.match(text, start - 1) else self.check
        secret = check(value) if check else value
        if not secret or value.startswith(_MARK) or (_MARK in value and self.check is not None):
            return start, start
        start += value.index(secret)
        return start, start + len(secret)


def redact(text: str, words: tuple[str, ...] = ()) -> str:
    """``text`` with every recognised secret, and every one of ``words``, replaced by ``[REDACTED:kind]``."""
    view = folded(text)
    if view is None:
        return _replaced(text, words)[0]
    # The same rules look at what is written in other ways; what they find is replaced where it is written.
    _, found = _replaced(view.text, words)
    return _put(text, [(view.places[start], view.places[stop], mark) for start, stop, mark in found])


def _replaced(text: str, words: tuple[str, ...]) -> tuple[str, list[tuple[int, int, str]]]:
    """``text`` with marks in it, and what they replaced: start and end in ``text`` as it was given, and the mark."""
    found: list[tuple[int, int, str]] = []
    places: Sequence[int] = range(len(text) + 1)

    def put(spans: Sequence[Span], mark: str) -> None:
        nonlocal text, places
        found.extend((places[start], places[stop], mark) for start, stop in spans)
        moved: list[int] = []
        end = 0
        for start, stop in spans:
            moved += [*places[end:start], *([places[start]] * len(mark))]
            end = stop
        places = [*moved, *places[end:]]
        text = _put(text, [(start, stop, mark) for start, stop in spans])

    if words and (spans := [match.span() for match in _pattern_of(words).finditer(text)]):
        put(spans, f"{_MARK}word]")
    lower = _lower(text)
    for rule in _rules_for(lower):
        if spans := rule.spans_in(text, lower):
            put(spans, rule.mark)
            lower = _lower(text)
    return text, found


def _put(text: str, found: Sequence[tuple[int, int, str]]) -> str:
    """``text`` with each mark in place of what it replaces; of two that overlap, the longer one."""
    parts, end = [], 0
    for start, stop, mark in sorted(found, key=lambda one: (one[0], -one[1])):
        if start >= end:
            parts += [text[end:start], mark]
            end = stop
    return "".join((*parts, text[end:]))


@cache
def _pattern_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of ``words`` as a whole word, in upper or lower case, the longest first."""
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE)


def _rules_for(lower: str) -> list[SecretRule]:
    """The rules whose hints occur in a text (given in lower case), in their order."""
    numbers = {number for hint, hinted in _hints().items() if hint in lower for number in hinted}
    return [_rules()[number] for number in sorted(numbers)]


@cache
def _hints() -> Mapping[str, Sequence[int]]:
    """The indexes of the rules by hint; rules without hints are under the empty hint, which every text contains."""
    hints: dict[str, list[int]] = {}
    for number, rule in enumerate(_rules()):
        for hint in rule.hints or ("",):
            hints.setdefault(hint, []).append(number)
    return hints


@cache
def _rules() -> tuple[SecretRule, ...]:
    """The rules of secrets.yaml in their order, read once."""
    text = resources.files(__package__).joinpath("secrets.yaml").read_text(encoding="utf-8")
    return tuple(_rule(**entry) for entry in yaml.load(text, _LOADER))


def _rule(
    kind: str,
    pattern: str = "",
    token: str = "",
    lower: str = "",
    hints: tuple[str, ...] = (),
    check: str | None = None,
) -> SecretRule:
    glued = bool(token) and all(len(hint) >= LEAST_GLUED and hint[-1] in "-_." for hint in hints)
    shape = pattern or lower or (token if glued else f"{_ALONE}{token}")
    return SecretRule(kind, re.compile(shape), bool(lower), tuple(hints), CHECKS[check] if check else None, glued)


def _lower(text: str) -> str:
    """``text`` in lower case, of the same length, so that offsets stay valid."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)
