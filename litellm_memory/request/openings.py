"""What each session opened with: a request under its id that opens otherwise is a subagent's, or a side-call.

A session is known by hashes alone: of the person's first message, of the system text before it, and by how many tools
it offers. Only this process knows them, so another worker makes no claim until it has seen the session's own request.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Final, Literal, TypeAlias

from litellm_memory.models import Kind, Scope, Turn
from litellm_memory.request.marks import Said

MOST_SESSIONS: Final = 4_096
"""Sessions that are known, an LRU: 1 MB."""
MOST_SYSTEM_TEXTS: Final = 512
"""Different system texts that can be compared: 2 MB."""
HEAD: Final = 2_000
"""Characters of the system text that tell agents apart; the working directory, the date and the like come later."""
NAME: Final = 40
"""Characters of it in which an agent is named."""
SKETCH: Final = 64
"""How many of a text's words stand for it: those with the smallest hashes."""
ALIKE: Final = 0.5
"""From this share of common words on, two system texts are one with another date, directory or model in it."""
BY_SHAPE: Final = ("own_words", "tool_result", "assistant_last")
"""Reasons of a kind that an opening may correct; a rule of the settings that says ``person`` stands."""

_NAMES_IT: Final = re.compile(
    r"(?is)\b(?:titles?|names?|topics?|headline|labels?|tags?|summar\w+|classif\w+)\b.{0,80}\b(?:conversation|chat|messages?)"
    r"|\b(?:conversation|chat|messages?)\b.{0,80}\b(?:titles?|names?|topics?|headline|labels?|tags?|summar\w+)"
)

Foreign: TypeAlias = Literal["subagent", "side_call"]
"""``side_call``: it carries the first message of the session's own conversation."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a conversation begins."""

    first: str
    """The mark of the person's first message."""
    head: int
    """A hash of the system text; 0 without one."""
    name: int
    """A hash of how that text begins, which mostly names the agent."""
    tools: int
    """How many tools are offered."""
    fresh: bool
    """Nothing was answered yet."""
    alone: bool
    """It has one message of the person."""


class Openings:
    """The openings of sessions. Not thread-safe."""

    def __init__(self) -> None:
        self._own: dict[Hashable, Opening] = {}
        self._sketches: dict[int, frozenset[int]] = {}

    def foreign(
        self, turn: Turn, scope: Scope, said: list[Said], kind: Kind, reason: str, *, note: bool
    ) -> Foreign | None:
        """What a request is that opens otherwise than its session; None for the session's own and when in doubt.

        Without a session id the person's first message stands for one, and only a request that is no person's already
        can be foreign. ``note``: remember the opening of a person's request.
        """
        if not said:
            return None
        opening = self._opening(turn, said)
        key: Hashable = (scope.namespace, scope.session or opening.first)
        own = self._own.pop(key, None)
        foreign = self._compared(turn, opening, own) if own is not None else None
        persons = kind in ("person", "continuation")
        if persons and (scope.session is None or reason not in BY_SHAPE):
            foreign = None
        if note and persons and foreign is None:
            # A last answer may have to do without tools.
            own = opening if own is None else replace(opening, tools=max(opening.tools, own.tools))
        if own is not None:
            self._own[key] = own
        while len(self._own) > MOST_SESSIONS:
            del self._own[next(iter(self._own))]
        return foreign

    def _compared(self, turn: Turn, new: Opening, own: Opening) -> Foreign | None:
        foreign: Foreign = "side_call" if new.first == own.first else "subagent"
        if not new.alone:
            return None  # A dialogue is the session's, whatever was compacted, and whichever model now reads it.
        if self._is_other(new, own):
            # Asked the same with as many tools, it is another model, unless it is to name the conversation.
            doubtful = foreign == "side_call" and new.tools == own.tools and not _NAMES_IT.search(_head(turn))
            return None if doubtful or new.tools > own.tools else foreign
        return foreign if new.fresh and new.tools == 0 < own.tools else None

    def _is_other(self, new: Opening, own: Opening) -> bool:
        """True when the system text is another one, and names another agent or comes with fewer tools.

        A program may put what it looked up for a question into its system text, after the same first words.
        """
        if new.name == own.name and new.tools >= own.tools:
            return False
        if new.head == own.head:
            return False
        if not new.head:
            return new.tools < own.tools
        one, other = self._sketches.get(new.head), self._sketches.get(own.head, frozenset())
        if one is None or (own.head and not other):
            return False
        lowest = nsmallest(SKETCH, one | other)
        return sum(word in one and word in other for word in lowest) < ALIKE * len(lowest)

    def _opening(self, turn: Turn, said: list[Said]) -> Opening:
        head = _head(turn)
        known = hash(head) if head else 0
        if known and known not in self._sketches:
            if len(self._sketches) >= MOST_SYSTEM_TEXTS:
                del self._sketches[next(iter(self._sketches))]
            self._sketches[known] = frozenset(nsmallest(SKETCH, {hash(word) for word in head.split() if _says(word)}))
        fresh = all(message.role in ("system", "person") for message in turn.messages[-4:])
        return Opening(said[0].mark, known, hash(head[:NAME]), turn.tool_count, fresh, len(said) == 1)


def _head(turn: Turn) -> str:
    """The beginning of the system texts before the person's first message."""
    head = ""
    for message in turn.messages:
        if message.role != "system" or len(head) >= HEAD:
            break
        for text in message.texts:
            if not text.text.startswith("x-"):  # A header in the text, which differs with every request.
                head += text.text[:HEAD]
    return head[:HEAD]


def _says(word: str) -> bool:
    """False for dates, times, paths and versions, which change within a session."""
    return word.isalpha() or word.rstrip(".,:;!?").isalpha()
