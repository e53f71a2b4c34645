"""Conversations that other programs kept: transcripts of agents, chats, and LiteLLM's own spend logs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from litellm_memory.foreign import claude_code, codex, gemini_cli, open_webui, opencode, spend_logs
from litellm_memory.foreign.files import LINE_ENDINGS, File, records_in
from litellm_memory.foreign.line import Json, ShapeError

LOOKED_AT: Final = 20
"""Records at the beginning of a file that show which program wrote it."""


class Program(Protocol):
    """A program that keeps conversations."""

    def fits(self, records: Sequence[Json]) -> bool:
        """True for records as this program begins its files with."""
        ...

    def conversations(self, records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
        """Each conversation as `POST /v1/import/conversations` takes it; ``left_out`` counts what is in none."""
        ...


PROGRAMS: Final[Mapping[str, Program]] = {
    "claude-code": claude_code,
    "codex": codex,
    "gemini-cli": gemini_cli,
    "opencode": opencode,
    "open-webui": open_webui,
    "spend-logs": spend_logs,
}
"""By the name that people use."""
OF_SEVERAL: Final = frozenset({"open-webui", "spend-logs"})
"""Whose files may hold several people's conversations."""
FEW_SAID: Final = 500
"""Messages of a person in the first part of a long conversation."""
MOST_SAID: Final = 6_000
"""Messages of a person that are sent as one conversation; the route reads 40,000 messages, parts and texts in all."""
MOST_BYTES: Final = 2 * 2**20
"""Of a conversation: of a request the route takes twice as many."""


def files_below(path: Path) -> list[Path]:
    """The file itself, or the transcripts in a directory, oldest first: names begin with a time, or say nothing."""
    if not path.is_dir():
        return [path]
    found = [one for one in path.rglob("*") if one.suffix in (*LINE_ENDINGS, ".json") and one.is_file()]
    return sorted(found, key=lambda one: (one.stat().st_mtime, one.name))


def program_of(path: File | Path) -> str | None:
    """The name of the program that wrote a file; None when none of these did. Raises ShapeError, OSError."""
    first = [record.value for record in islice(records_in(path), LOOKED_AT) if isinstance(record.value, dict)]
    return next((name for name, program in PROGRAMS.items() if program.fits(first)), None)


def conversations_in(path: File | Path, name: str, left_out: Counter[str]) -> Iterator[Json]:
    """The conversations in a file of the program ``name``, long ones in parts. Raises ShapeError, OSError.

    ``left_out`` counts messages of the person and records that are in none, by the reason.
    """
    try:
        for told in PROGRAMS[name].conversations(_objects(path, left_out), left_out):
            yield from _parts(told)
    except RecursionError:
        raise ShapeError(f"{path.name} is nested too deeply.") from None


def _objects(path: File | Path, left_out: Counter[str]) -> Iterator[Json]:
    for record in records_in(path):
        if isinstance(record.value, dict):
            yield record.value
        else:
            left_out["unreadable"] += 1


def _parts(told: Json) -> Iterator[Json]:
    """A conversation as requests, each with all that was said before: what an earlier one told is known then.

    Each doubles what was told, so that all of them together send no more than twice the conversation. One that is too
    long for a request goes on as another one, which begins with the same system texts.
    """
    said, messages = told["said"], told["body"].get("messages")
    if len(said) == 1 or not isinstance(messages, list):
        yield told
        return
    # Each ends before the person's next message, so that the answer to the last one is in it.
    places = [place for place, message in enumerate(messages) if message["role"] == "user"][-len(said) :]
    ends = [*places[1:], len(messages)]
    opening = messages[: places[0]]
    for first, after in _chapters(said, messages, places, ends):
        begin = first
        while begin < after:
            end = min(after, begin + max(begin - first, FEW_SAID))
            heard = messages[places[first] : ends[end - 1]]
            yield {**told, "body": {**told["body"], "messages": [*opening, *heard]}, "said": said[begin:end]}
            begin = end


def _chapters(
    said: Sequence[Json], messages: Sequence[Json], places: Sequence[int], ends: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Which of the person's messages fit into a request together: the first one, and the one after the last."""
    first = size = 0
    for number, one in enumerate(said):
        more = _bytes([one, *messages[places[number] : ends[number]]])
        if number > first and (size + more > MOST_BYTES or number - first == MOST_SAID):
            yield first, number
            first, size = number, 0
        size += more
    yield first, len(said)


def _bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
