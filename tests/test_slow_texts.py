"""No text is slow to read: four times as long takes about four times as long, in every function that reads texts.

The texts repeat what patterns begin with and never end: the openings of labels, tags, quotes, lists and secrets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import resources

import pytest

from litellm_memory.extract import extract
from litellm_memory.extract.commands import wishes_in
from litellm_memory.extract.pastes import own_prose
from litellm_memory.identity.directories import client_directory
from litellm_memory.meaning import encoder
from litellm_memory.models import Exchange, Message, Reply, Scope, Text, Turn
from litellm_memory.redact import redact
from litellm_memory.request.kinds import classify
from litellm_memory.screening import shown_aim
from litellm_memory.text.sentences import sentences
from litellm_memory.text.visible import visible
from litellm_memory.wire.own_words import own_words
from litellm_memory.wire.shapes import is_machine, repeats_a_file, speaker

AT_MOST = 12.0
"""Times as long for four times the text: twice as much as in proportion, and as much again for a busy machine. What
looks at every pair of places takes sixteen times as long, and what copies the rest at each step too."""
SHORT_SECONDS = 0.05
"""A text that takes less is not slow."""


def turn_of(text: str) -> Turn:
    return Turn((Message("system", (Text(text, (0,)),)), Message("person", (Text(text, (1,)),))))


def learned(text: str) -> object:
    exchange = Exchange("c", Scope("p", "u"), "m", text, datetime(2026, 5, 1, tzinfo=UTC), reply=Reply(text))
    return extract(exchange, patterns=True, turns=True)


READERS: Mapping[str, tuple[int, Callable[[str], object]]] = {
    "own words": (100_000, lambda text: own_words(Message("person", (Text(text, (0,)),)))),
    "beside a tool": (100_000, lambda text: own_words(Message("person", (Text(text, (0,)),), tools=True))),
    "speaker": (100_000, speaker),
    "a file": (100_000, repeats_a_file),
    "a machine": (100_000, is_machine),
    "kind": (100_000, lambda text: classify(turn_of(text), {})),
    "directory": (100_000, lambda text: client_directory(turn_of(text), "codex")),
    "secrets": (5_000, redact),
    "what is seen": (25_000, visible),
    "an attack": (5_000, shown_aim),
    "prose": (10_000, own_prose),
    "sentences": (10_000, lambda text: list(sentences(text))),
    "wishes": (5_000, wishes_in),
    "memories": (600, learned),
}
"""By what they look for, with characters of the shorter text: a quarter of what they get, or enough to tell."""

REPEATED = (
    *(" ", "\n", "\t", "a", "A", "0", ".", "-", "_", ":", ",", "/", "\\", "@", "=", "$", "#", "*", "|", "`", "```\n"),
    *(
        '"',
        "'",
        '"\\"',
        "(",
        "[",
        "{",
        "<",
        "<a>",
        "</a>",
        "<a ",
        "<memory note=",
        "<system-reminder>",
        "<command-name>",
    ),
    *("[10:00] ", "[2026-05-01 10:00]: ", "System: [10:00]\n", "Anna: ", "Anna (x): ", "S (untrusted): ```\n\n```\n"),
    *(
        "# a\n",
        "1. a\n",
        "- a\n",
        "> a\n",
        "a\n\n",
        " \n",
        "\n ",
        "a, ",
        "a. ",
        "I am ",
        "my ",
        "the ",
        "Ich bin ",
        "我",
        "。",
    ),
    *(
        "password: ",
        "sk-",
        "eyJ",
        "https://a:",
        "-----BEGIN ",
        "ignore all ",
        "send it to ",
        "forget ",
        "on behalf of ",
    ),
)
ENDS = ("", "\x00")


@pytest.fixture(autouse=True)
def _by_shape_alone() -> None:
    """The encoder reads a bounded part, and takes seconds to load."""
    encoder.use(wanted=False)


def atoms() -> list[str]:
    """What is repeated: the list above, and words that our own rules look for."""
    rules = resources.files("litellm_memory.request").joinpath("kinds.yaml").read_text(encoding="utf-8")
    words = list(dict.fromkeys(re.findall(r"[A-Za-z<\[][\w\]>]{5,20}", rules)))
    return [*REPEATED, *(f"{word} " for word in words[::40])]


def seconds(read: Callable[[str], object], text: str) -> float:
    """Processor time of this thread, the least of two."""
    taken = []
    for number in range(2):
        begun = time.thread_time()
        read(f"{text}{'y' * number}")  # another text: what was read before may be known
        taken.append(time.thread_time() - begun)
    return min(taken)


@pytest.mark.parametrize("name", READERS)
def test_no_text_is_slow_to_read(name: str) -> None:
    size, read = READERS[name]
    read("Something to load what is loaded once.")
    slow: dict[str, tuple[float, float]] = {}
    for repeated in atoms():
        for end in ENDS:
            long = seconds(read, repeated * (4 * size // len(repeated)) + end)
            if long < SHORT_SECONDS:
                continue
            short = seconds(read, repeated * (size // len(repeated)) + end)
            if long > AT_MOST * short:
                slow[repeated + end] = (short, long)
    assert slow == {}
