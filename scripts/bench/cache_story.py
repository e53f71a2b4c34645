"""What is said in the conversations: twelve turns of somebody at work, and what they told their clients before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

MEMORIES = (
    "My staging database is called heron-42.",
    "Changes to the billing service are reviewed by Mirela.",
    "The metrics exporter listens on port 9182.",
    "Our nightly backups go to the region eu-north-1.",
    "The signing certificate is kept in the vault under ops/signing.",
    "We decided that the queue worker retries five times.",
    "This team lints TypeScript with Biome.",
    "The code freeze for the autumn release begins on 9 October.",
    "I like dashboards with the amber colour scheme.",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model and what the tool gave back."""

    id: str
    name: str
    arguments: dict[str, str]
    result: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the person says, the tools that the model uses for it, and what it answers in the end."""

    words: str
    calls: Sequence[Call]
    answer: str


_SAID = (
    ("What is my staging database called? The migration goes there first, so put its name into the plan.", 15),
    ("Who reviews changes to the billing service? Add them to the pull request.", 2),
    ("Which port does the metrics exporter listen on? Check that the firewall lets it through.", 1),
    ("Rename that function and run it again.", 3),
    ("Which region do our nightly backups go to?", 0),
    ("Where is the signing certificate kept? The build cannot find it.", 2),
    ("Now say the same in two sentences.", 0),
    ("How many times does the queue worker retry, as we decided?", 1),
    ("With which tool does this team lint TypeScript? Set it up for the new folder.", 4),
    ("When does the code freeze for the autumn release begin?", 0),
    ("ok", 0),
    ("Which colour scheme do I like for dashboards? Use it for the new page.", 2),
)
_TOOLS = ("read_file", "search", "run_command")
_SENTENCES = (
    "The handler opens one connection for each request and gives it back when the answer is written.",
    "Rows older than thirty days move to the archive, and a job at night checks that none is missing.",
    "A configuration that names an unknown key is refused with the name of the nearest known one.",
    "Each worker keeps a small table of what it has seen, and clears it when the table is full.",
    "The test starts two servers, sends the same message to both and compares what came back.",
    "Errors of the remote side are counted, and after five of them the caller waits for a minute.",
    "Dates are written in UTC, with the zone, and read back without a guess.",
    "Large files are read in pieces, so that memory stays flat however long they are.",
    "The page shows the newest entries first and loads older ones as the reader scrolls.",
    "A lock file tells the second process that the first one is still at work.",
    "Names of columns follow the words of the domain, not those of the program.",
    "What the cache holds may be thrown away at any time and is made again on the next call.",
)


def prose(seed: str, tokens: int) -> str:
    """A text of about so many tokens, the same for the same seed."""
    words, found = Random(seed), [f"[{seed}]"]
    while sum(map(len, found)) < tokens * 4:
        found.append(words.choice(_SENTENCES))
    return " ".join(found)


def turns(seed: str, *, tools: bool, count: int = len(_SAID)) -> list[Turn]:
    """The first ``count`` turns of the story, with or without the use of tools."""
    return [
        Turn(
            words=words,
            calls=[_call(seed, turn, number) for number in range(calls if tools else 0)],
            answer=prose(f"{seed} answer {turn}", 90),
        )
        for turn, (words, calls) in enumerate(_SAID[:count])
    ]


def _call(seed: str, turn: int, number: int) -> Call:
    name = _TOOLS[number % len(_TOOLS)]
    about = f"{seed}-{turn}-{number}"
    return Call(f"call_{about}", name, {"path": f"src/{about}.py"}, prose(f"result {about}", 350))
