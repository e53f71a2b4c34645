"""The labelled messages of ``tests/data/learning.txt``, and how near a learner comes to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from litellm_memory.text.words import same_text

FILE = Path(__file__).parent.parent / "data" / "learning.txt"
_MARK = re.compile(r"\[\[(\w+)\|(.+?)\]\]")

Kept = tuple[str, str]
"""A kind, and a text folded as duplicates are; an episode's text is left out, because it is the message itself."""


@dataclass(frozen=True)
class Labelled:
    """A message, and what a careful reader would remember of it."""

    language: str
    shape: str
    said: str
    kept: tuple[Kept, ...]
    marked: tuple[Kept, ...] = ()
    """The same without episodes, and as it is written."""


def labelled() -> list[Labelled]:
    """All labelled messages, in the order of the file."""
    messages = []
    language = shape = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            language, shape = line[3:].split()
        elif line[:2] in ("+ ", "- "):
            said = line[2:].replace("\\n", "\n")
            kept = [folded(kind, text) for kind, text in _MARK.findall(said)]
            episode = [folded("episode", "")] if line[0] == "+" else []
            marked = tuple((kind, text) for kind, text in _MARK.findall(said))
            messages.append(Labelled(language, shape, _MARK.sub(r"\2", said), (*kept, *episode), marked))
    return messages


def folded(kind: str, text: str) -> Kept:
    return kind, "" if kind == "episode" else same_text(text).rstrip(",，")


@dataclass(frozen=True)
class Measure:
    """How many memories were right, made and wanted."""

    right: int
    made: int
    wanted: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.made)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.wanted)


def measured(messages: Iterable[Labelled], learn: Callable[[Labelled], Iterable[Kept]]) -> Measure:
    """What ``learn`` made of these messages, held against their labels."""
    right = made = wanted = 0
    for message in messages:
        found, expected = Counter(learn(message)), Counter(message.kept)
        right += (found & expected).total()
        made += found.total()
        wanted += expected.total()
    return Measure(right, made, wanted)
