"""Commands to memory in what a person says: to forget something, or that something is no longer true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from litellm_memory.extract.clauses import is_question, states_nothing
from litellm_memory.extract.languages import languages
from litellm_memory.text.words import words

MAX_TARGETS = 3
"""A command that matches more memories than these is too vague to be carried out."""


@dataclass(frozen=True, slots=True)
class MemoryCommand:
    """``forget``: what is known of ``what`` is deleted. ``end``: it is kept as history and no longer in force."""

    action: Literal["forget", "end"]
    what: str


def command_in(sentence: str) -> MemoryCommand | None:
    """The command in a sentence; None when there is none."""
    plain = sentence.replace("’", "'")
    if is_question(plain):
        return None
    for language in languages():
        bare = language.openers.sub("", plain, count=1) if language.openers.match(plain) else plain
        if states_nothing(bare, language):
            return None
        for action, patterns in (("forget", language.forget), ("end", language.ends)):
            match = next((match for pattern in patterns if (match := pattern.fullmatch(bare))), None)
            if match is not None and words(match["what"]):
                return MemoryCommand("forget" if action == "forget" else "end", match["what"].rstrip(" .!。！"))
    return None


def targets_of(command: MemoryCommand, texts: Iterable[str]) -> list[str]:
    """The texts that contain every word of what the command names; none when that is too vague."""
    wanted = set(words(command.what))
    fitting = [text for text in texts if wanted <= set(words(text))]
    return fitting if len(fitting) <= MAX_TARGETS else []
