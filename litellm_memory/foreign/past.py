"""Conversations that other programs kept: transcripts of agents, chats, and LiteLLM's own spend logs."""

from __future__ import annotations

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

    def conversations(self, records: Iterator[Json]) -> Iterator[Json]:
        """Each conversation as `POST /v1/import/conversations` takes it."""
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
MOST_SAID: Final = 500
"""Messages of a person that the route takes of one conversation."""


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


def conversations_in(path: File | Path, name: str) -> Iterator[Json]:
    """The conversations in a file of the program ``name``, long ones in parts. Raises ShapeError, OSError."""
    records = (record.value for record in records_in(path) if isinstance(record.value, dict))
    try:
        for told in PROGRAMS[name].conversations(records):
            yield from _parts(told)
    except RecursionError:
        raise ShapeError(f"{path.name} is nested too deeply.") from None


def _parts(told: Json) -> Iterator[Json]:
    """A conversation as requests that end with each 500th message of the person: what was said before is known then."""
    said, messages = told["said"], told["body"].get("messages")
    if len(said) <= MOST_SAID or not isinstance(messages, list):
        yield told
        return
    places = [place for place, message in enumerate(messages) if message["role"] == "user"]
    for begin in range(0, len(said), MOST_SAID):
        part = said[begin : begin + MOST_SAID]
        # Up to the person's next message, so that the answer to the last one is in it.
        end = places[begin + len(part)] if begin + len(part) < len(places) else len(messages)
        yield {**told, "body": {**told["body"], "messages": messages[:end]}, "said": part}
