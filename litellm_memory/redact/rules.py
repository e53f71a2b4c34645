"""The rules of secrets.yaml, and how they are applied to a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import yaml

from litellm_memory.redact.checks import CHECKS, Check

_MARK: Final = "[REDACTED:"
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

    def replaced_in(self, text: str, lower: str) -> str:
        """``text`` with this rule's matches replaced; ``lower`` is the same text in lower case, with equal offsets."""
        kept, end = [], 0
        for found in self.pattern.finditer(lower if self.in_lower else text):
            start, stop = self._secret(text, found)
            if start < stop:
                kept += [text[end:start], f"[REDACTED:{self.kind}]"]
                end = stop
        return "".join((*kept, text[end:])) if kept else text

    def _secret(self, text: str, found: re.Match[str]) -> tuple[int, int]:
        """The span of the secret in a match; an empty span when it is no secret, or already redacted."""
        start, stop = found.span("secret" if "secret" in self.pattern.groupindex else 0)
        value = text[start:stop]
        secret = self.check(value) if self.check else value
        if not secret or value.startswith(_MARK) or (_MARK in value and self.check is not None):
            return start, start
        start += value.index(secret)
        return start, start + len(secret)


def redact(text: str, words: tuple[str, ...] = ()) -> str:
    """``text`` with every recognised secret, and every one of ``words``, replaced by ``[REDACTED:kind]``."""
    if words:
        text = _pattern_of(words).sub(f"{_MARK}word]", text)
    lower = _lower(text)
    for rule in _rules_for(lower):
        replaced = rule.replaced_in(text, lower)
        if replaced is not text:
            text, lower = replaced, _lower(replaced)
    return text


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
    return tuple(_rule(**entry) for entry in yaml.safe_load(text))


def _rule(
    kind: str,
    pattern: str = "",
    token: str = "",
    lower: str = "",
    hints: tuple[str, ...] = (),
    check: str | None = None,
) -> SecretRule:
    shape = pattern or lower or f"{_ALONE}{token}"
    return SecretRule(kind, re.compile(shape), bool(lower), tuple(hints), CHECKS[check] if check else None)


def _lower(text: str) -> str:
    """``text`` in lower case, of the same length, so that offsets stay valid."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)
