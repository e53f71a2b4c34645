"""ai-mem: the observations of its export and of its snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from litellm_memory.foreign.line import Json, Line, line_of, moment, name, names

KINDS = {
    "decision": "decision",
    "preference": "preference",
    "convention": "instruction",
    "interaction": "episode",
}
NOT_SAID = frozenset({"tool_output", "file_content"})
"""Output of tools and contents of files: no person said it."""


def fits(record: Json) -> bool:
    """True for an observation."""
    return isinstance(record.get("content"), str) and {"session_id", "project", "type"} <= record.keys()


def lines(record: Json) -> Iterator[Line]:
    """One memory; none for output of tools, contents of files, and other rows of a snapshot."""
    if str(record.get("type")) in NOT_SAID or "content" not in record:
        return
    title, content = str(record.get("title") or ""), record.get("content")
    yield line_of(
        f"{title}\n{content}" if title and content and title not in str(content) else content,
        id=name(record.get("id")),
        kind=KINDS.get(str(record.get("type")), "fact"),
        tags=names(record.get("tags")),
        project=name(record.get("project")),
        created=moment(record.get("created_at")),
    )
