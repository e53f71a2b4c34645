"""Which kind of request is it? Only a person's new words are recalled for and learned from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import takewhile
from typing import Final

import yaml
from pydantic import TypeAdapter

from litellm_memory.models import Kind, Message, Text, Turn
from litellm_memory.settings import KindRule
from litellm_memory.wire.own_words import own_words
from litellm_memory.wire.shapes import orders

_LONGEST_HEADER: Final = 16_384


@cache
def built_in_rules() -> tuple[KindRule, ...]:
    """The rules of kinds.yaml in their order, read once."""
    text = resources.files(__package__).joinpath("kinds.yaml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[KindRule, ...]).validate_python(yaml.safe_load(text))


def classify(turn: Turn, headers: Mapping[str, str], rules: Sequence[KindRule] = ()) -> tuple[Kind, str]:
    """The kind of a request and the name of the reason. ``headers`` have names in lower case.

    The first match decides, among ``rules`` and then the built-in ones; without a match the shape decides. In doubt it
    is not ``person``: a rule with that kind only skips the other rules, and the shape must still show new words.
    """
    if not turn.messages:
        return "other", "no_messages"
    words = _TextsToMatch(turn)
    decides = next((rule for rule in (*rules, *built_in_rules()) if _holds(rule, turn, headers, words)), None)
    if decides is not None and decides.kind != "person":
        return decides.kind, decides.name
    if decides is None and any(map(orders, words.system)):
        return "side_call", "orders_for_a_model"
    kind, reason = _by_shape(turn, words)
    return (kind, decides.name) if decides is not None and kind == "person" else (kind, reason)


def is_trivial(words: str) -> bool:
    """True for a greeting, an acknowledgement, a question about the assistant itself, or at most 3 characters.

    Such words are not worth a recall; they may still be worth learning from, as the answer to a question.
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


class _TextsToMatch:
    """The texts of a turn that rules match against, without leading white space."""

    def __init__(self, turn: Turn) -> None:
        since = [*takewhile(lambda message: message.role in ("person", "system"), reversed(turn.messages))]
        self.latest: Sequence[tuple[Message, Sequence[Text]]] = [
            (message, own_words(message, before))
            for message, before in zip(since, (*since[1:], None), strict=False)
            if message.role == "person"
        ]
        """The person's messages since the last answer or tool result, newest first, and the own words in them."""
        # A rule's text may come after a wrapper, or be mistaken for one and stripped: match raw and stripped texts.
        said = (text.text.lstrip() for message, own in self.latest for text in (*message.texts, *own))
        self.said = list(dict.fromkeys(said))
        self.system = [
            text.text.lstrip() for message in turn.messages if message.role == "system" for text in message.texts
        ]


def _holds(rule: KindRule, turn: Turn, headers: Mapping[str, str], words: _TextsToMatch) -> bool:
    """True when every condition of ``rule`` is met."""
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


def _by_shape(turn: Turn, words: _TextsToMatch) -> tuple[Kind, str]:
    """``person`` when the person's own words come last; wrappers sent as messages count as system text."""
    for message, own in words.latest:
        if own:
            return "person", "own_words"
        if message.tools:
            return "continuation", "tool_result"
        if not message.texts:
            return "other", "no_own_words"
    before = next((message for message in reversed(turn.messages) if message.role in ("tool", "assistant")), None)
    if before is None:
        return "other", "no_own_words"
    return "continuation", "tool_result" if before.role == "tool" else "assistant_last"
