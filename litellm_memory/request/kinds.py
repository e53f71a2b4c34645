"""What sort of request is it? Only new words of a person are recalled for and learned from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import takewhile
from typing import Final

import yaml
from pydantic import TypeAdapter

from litellm_memory.models import Kind, Message, Turn
from litellm_memory.settings import KindRule
from litellm_memory.wire.own_words import own_words

_LONGEST_HEADER: Final = 16_384


@cache
def built_in_rules() -> tuple[KindRule, ...]:
    """The rules of kinds.yaml in their order, read once."""
    text = resources.files(__package__).joinpath("kinds.yaml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[KindRule, ...]).validate_python(yaml.safe_load(text))


def classify(turn: Turn, headers: Mapping[str, str], rules: Sequence[KindRule] = ()) -> tuple[Kind, str]:
    """The kind of a request and the reason's name. ``headers`` have names in lower case.

    The first of ``rules`` and then of the built-in ones that holds decides, else the shape. In doubt it is not
    ``person``: a rule that says so leaves it to the shape, which alone can tell that a person said something new.
    """
    if not turn.messages:
        return "other", "no_messages"
    words = _TextsLookedAt(turn)
    decides = next((rule for rule in (*rules, *built_in_rules()) if _holds(rule, turn, headers, words)), None)
    if decides is not None and decides.kind != "person":
        return decides.kind, decides.name
    kind, reason = _by_shape(turn, words)
    return (kind, decides.name) if decides is not None and kind == "person" else (kind, reason)


def is_trivial(words: str) -> bool:
    """True for a greeting, an acknowledgement, a question to the assistant about itself, or up to 3 characters.

    Nothing is worth recalling for such words; they may still be the answer that is worth learning.
    """
    return _TRIVIAL.match(words.strip()) is not None


_TRIVIAL: Final = re.compile(
    r"""
      (hi|hello|hey|howdy) [\s!.,]* \Z
    | (yes|no|ok|okay|sure|thanks|thank\ you|yep|nope) [\s!.,]* \Z
    | (who\ are\ you | what\ (is|are)\ your\ names? | what\ can\ you\ do(\ here|\ for\ me)?) [\s!?.,]* \Z
    | [\x00-\x7f]{0,3} \Z
    """,
    re.IGNORECASE | re.VERBOSE,
)


class _TextsLookedAt:
    """The texts of a turn that rules look at, without leading blanks."""

    def __init__(self, turn: Turn) -> None:
        latest = [
            message
            for message in takewhile(lambda message: message.role in ("person", "system"), reversed(turn.messages))
            if message.role == "person"
        ]
        self.latest: Sequence[Message] = latest
        """The person's messages since the last answer or tool result, the newest first."""
        # A wrapper may stand before a mark, and what strips wrappers may take a mark for one: both are looked at.
        said = (text.text.lstrip() for message in latest for text in (*message.texts, *own_words(message)))
        self.said = list(dict.fromkeys(said))
        self.system = [
            text.text.lstrip() for message in turn.messages if message.role == "system" for text in message.texts
        ]


def _holds(rule: KindRule, turn: Turn, headers: Mapping[str, str], words: _TextsLookedAt) -> bool:
    """True when every condition that ``rule`` gives holds."""
    return (
        (rule.tools is None or rule.tools == turn.tools)
        and (rule.max_tokens is None or (turn.max_tokens is not None and turn.max_tokens <= rule.max_tokens))
        and (rule.output_keys is None or frozenset(rule.output_keys) == frozenset(turn.output_keys))
        and (not rule.headers or _carries(rule.headers, headers))
        and (rule.system is None or any(map(rule.system.match, words.system)))
        and (rule.text is None or any(map(rule.text.match, words.said)))
    )


def _carries(wanted: Mapping[str, re.Pattern[str]], headers: Mapping[str, str]) -> bool:
    return all(name in headers and pattern.search(headers[name][:_LONGEST_HEADER]) for name, pattern in wanted.items())


def _by_shape(turn: Turn, words: _TextsLookedAt) -> tuple[Kind, str]:
    """``person`` when words of their own come last; wrappers that a client sends as messages count as system text."""
    for message in words.latest:
        if own_words(message):
            return "person", "own_words"
        if message.tools:
            return "continuation", "tool_result"
        if not message.texts:
            return "other", "no_own_words"
    before = next((message for message in reversed(turn.messages) if message.role in ("tool", "assistant")), None)
    if before is None:
        return "other", "no_own_words"
    return "continuation", "tool_result" if before.role == "tool" else "assistant_last"
