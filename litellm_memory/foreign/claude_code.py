"""Claude Code: its transcripts, `~/.claude/projects/*/*.jsonl`, one session a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from litellm_memory.foreign.line import Json
from litellm_memory.foreign.talk import Talk

# Written by the client, a command or a subagent: its own notes, a compaction's summary, what only its screen showed.
_NOT_THE_PERSONS = ("isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly", "isApiErrorMessage")


def fits(records: Sequence[Json]) -> bool:
    """True for the beginning of a transcript."""
    return any("sessionId" in one and ("isSidechain" in one or "leafUuid" in one) for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """The conversation of a session."""
    talk: Talk | None = None
    for record in records:
        kind, message = record.get("type"), record.get("message")
        if kind not in ("user", "assistant") or not isinstance(message, dict) or any(map(record.get, _NOT_THE_PERSONS)):
            continue
        talk = talk or _talk(record, left_out)
        if kind == "user":
            talk.person(message.get("content"), record.get("timestamp"))
        else:
            talk.answer(message.get("content"))
    if talk is not None and (told := talk.conversation()) is not None:
        yield told


def _talk(record: Json, left_out: Counter[str]) -> Talk:
    headers = {
        "user-agent": f"claude-cli/{record.get('version') or '0'}",
        "x-claude-code-session-id": str(record.get("sessionId") or ""),
    }
    directory = record.get("cwd")
    return Talk(headers, left_out, f"Primary working directory: {directory}" if directory else None)
