"""No regular expression takes time out of proportion to its text, on texts that are made for each of them.

A pattern that reads what anybody sends takes four times as long for four times the text. One that reads a sentence, or
a word, which are bounded, takes a bounded time for the longest.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from bed.patterns import attacks_on, load_all, patterns_of_the_package, seconds

from litellm_memory.extract.languages import LONGEST
from litellm_memory.request.kinds import built_in_rules
from litellm_memory.screening.signs import LONGEST as LONGEST_SIGN
from litellm_memory.screening.signs import _languages as signs_of_languages
from litellm_memory.text.sentences import one_spaced

LONG, SHORT = 6000, 1500
SLOW = 0.006
"""Seconds. A long text that takes less is not slow."""
OUT_OF_PROPORTION = 9.0
"""Times as long for four times the text: squares take sixteen times as long."""
BOUNDED = {
    "litellm_memory.extract.languages": LONGEST,
    "litellm_memory.redact.checks": 300,
}
"""Characters of what the patterns of a module read at the most."""
AT_MOST = 0.25
"""Seconds of the longest of those, from each of its characters on: a pattern that reads from the first takes less."""


ONE_SPACED = {"litellm_memory.screening.signs"}
"""Modules whose texts have no two blanks in a row."""
MATCHED = {
    "litellm_memory.extract.apart": ("_KIND",),
    "litellm_memory.extract.pastes": ("_MACHINE",),
    "litellm_memory.identity.projects": ("_SHORT_REMOTE",),
    "litellm_memory.wire.shapes": ("_MACHINE", "_METADATA", "_FRAMES"),
}
"""Patterns that are tried at one place of a text; so are those of `kinds.yaml`."""


def matched() -> set[str]:
    """The patterns in ``MATCHED``."""
    held = [getattr(importlib.import_module(module), name) for module, names in MATCHED.items() for name in names]
    every = [one for item in held for one in (item.values() if isinstance(item, dict) else [item])]
    rules = [one for rule in built_in_rules() for one in (rule.text, rule.system) if one is not None]
    return {one.pattern for one in (*every, *rules)}


def longest(name: str, pattern: Any) -> int | None:
    """Characters that a pattern reads at the most; None for one that reads as many as there are."""
    spaced = [language.signs for language in signs_of_languages() if language.spaced]
    return LONGEST_SIGN if any(pattern in signs.values() for signs in spaced) else BOUNDED.get(name)


pytestmark = pytest.mark.long
"""`test_slow_texts` reads what people send in the default run."""


@pytest.fixture(scope="module")
def patterns() -> list[tuple[str, Any]]:
    load_all()
    return patterns_of_the_package()


def test_every_pattern_of_the_rules_is_found(patterns: list[tuple[str, Any]]) -> None:
    assert len(patterns) > 800
    assert {"redact", "screening", "extract", "wire", "text", "identity"} <= {
        name.split(".")[1] for name, _ in patterns
    }


def test_no_pattern_takes_time_out_of_proportion_to_its_text(patterns: list[tuple[str, Any]]) -> None:
    slow, at_one_place = [], matched()
    for name, pattern in patterns:
        if longest(name, pattern) is not None:
            continue
        once = pattern.pattern in at_one_place
        for before, unit in attacks_on(pattern):
            if name in ONE_SPACED and not unit.strip():
                continue
            long = seconds(pattern, before + unit * (LONG // len(unit)) + "\0", once=once)
            if long < SLOW:
                continue
            short = seconds(pattern, before + unit * (SHORT // len(unit)) + "\0", once=once)
            if long > OUT_OF_PROPORTION * short:
                slow.append((name, pattern.pattern[:200], before, unit, short, long))
                break
    assert not slow, "\n".join(map(str, slow))


def test_no_pattern_of_a_bounded_text_takes_long_for_the_longest(patterns: list[tuple[str, Any]]) -> None:
    slow = []
    for name, pattern in patterns:
        most = longest(name, pattern)
        for before, unit in attacks_on(pattern) if most else ():
            text = one_spaced(before + unit * (most // len(unit)) + "\0")[:most]
            taken = seconds(pattern, text)
            if taken > AT_MOST:
                slow.append((name, pattern.pattern[:200], before, unit, taken))
                break
    assert not slow, "\n".join(map(str, slow))
