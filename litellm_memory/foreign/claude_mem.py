"""claude-mem: the observations, summaries and prompts that its export script writes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from litellm_memory.foreign.line import Json, Line, ShapeError, line_of, moment, name, names

SUMMARY = ("request", "learned", "completed", "next_steps")


def fits(record: Json) -> bool:
    """True for a row of one of its tables."""
    return "prompt_text" in record or "memory_session_id" in record or "sdk_session_id" in record


def lines(record: Json) -> Iterator[Line]:
    """An observation or a summary as a fact or a decision, a prompt as an episode."""
    common = {
        "project": name(record.get("project")),
        "created": moment(record.get("created_at_epoch") or record.get("created_at")),
    }
    number = name(record.get("id"))
    if "prompt_text" in record:
        yield line_of(record["prompt_text"], id=_id("prompt", number), kind="episode", **common)
    elif "narrative" in record or "facts" in record or "title" in record:
        tags = [*names([record.get("type")]), *names(_listed(record.get("concepts")))]
        kind = "decision" if record.get("type") == "decision" else "fact"
        yield line_of(_observation(record), id=_id("observation", number), kind=kind, tags=tags, **common)
    elif any(record.get(part) for part in SUMMARY):
        text = "\n".join(str(record[part]) for part in SUMMARY if record.get(part))
        yield line_of(text, id=_id("summary", number), kind="fact", tags=["summary"], **common)
    elif "user_prompt" not in record:
        # The sessions that its export also lists add nothing: their requests are among the prompts.
        raise ShapeError("this is no observation, no summary and no prompt")


def _observation(record: Json) -> str:
    said = record.get("narrative") or record.get("text") or record.get("subtitle")
    parts = [record.get("title"), said, *([] if said else _listed(record.get("facts")))]
    return "\n".join(str(part).strip() for part in parts if part)


def _listed(value: object) -> list[object]:
    """A list, or a list in JSON in a text column."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    return value if isinstance(value, list) else []


def _id(table: str, number: str | None) -> str | None:
    return f"claude-mem {table} {number}" if number else None
