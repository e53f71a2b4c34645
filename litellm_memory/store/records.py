"""What a memory looks like in Chroma: entries to rows and back, within Chroma Cloud's limits in every mode.

A record is the text as its document, the vector, and few metadata keys: Chroma keeps a row of SQLite per key, and one
key per field would double the time to load a scope. ``about`` is JSON of the fields that Chroma neither filters by nor
updates alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern

import numpy as np
import orjson

from litellm_memory.errors import StoreError
from litellm_memory.models import NAMESPACE_DIGITS, Memory, Origin, Superseded, is_memory_id
from litellm_memory.store.collections import Metadata, Rows, Vectors

TEXT_BYTES = 16_000
"""Longest text: Chroma Cloud's limit for a document."""
VALUE_BYTES = 8_000
"""Longest metadata value in Chroma Cloud. It also allows 32 keys per record."""
REPLY_PARTS = tuple(f"reply.{number}" for number in range(4))
"""A reply is split over these keys, because one value cannot hold it."""
REPLY_BYTES = VALUE_BYTES * len(REPLY_PARTS)
"""Longest reply: all its parts together."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A memory with its vector; None when it is not embedded yet (stored as zeros, and never found by similarity)."""

    memory: Memory
    vector: Vectors | None


def checked_id(memory: Memory) -> str:
    """The memory's id. Raises ValueError when its prefix is not that of the memory's namespace."""
    if not is_memory_id(memory.id) or not memory.id.startswith(memory.namespace[:NAMESPACE_DIGITS]):
        raise ValueError(f"{memory.id!r} is not an id that memory_id() gives for the memory's partition and user")
    return memory.id


def rows_of(entries: Sequence[Entry], dimension: int) -> Rows:
    """The entries as rows with every key set. Raises ValueError for what cannot be stored."""
    return Rows(
        ids=[entry.memory.id for entry in entries],
        documents=[_cut(entry.memory.text, TEXT_BYTES) for entry in entries],
        metadatas=[_metadata(entry) for entry in entries],
        vectors=np.stack([_checked_vector(entry.vector, dimension) for entry in entries]),
    )


def entries_of(rows: Rows, *, partition: str, namespace: str | None = None) -> list[Entry]:
    """The rows of ``partition`` (and of ``namespace``, if given) as entries; all other rows are omitted."""
    vectors = [None] * len(rows.ids) if rows.vectors is None else rows.vectors
    entries = (
        _entry(row_id, document, metadata, vector)
        for row_id, document, metadata, vector in zip(rows.ids, rows.documents, rows.metadatas, vectors, strict=True)
        if metadata.get("partition") == partition
    )
    return [entry for entry in entries if namespace is None or entry.memory.namespace == namespace]


def memories_of(rows: Rows) -> list[Memory]:
    """The memories of all partitions in these rows; blank records, which have no partition, are omitted."""
    records = zip(rows.ids, rows.documents, rows.metadatas, strict=True)
    return [_entry(row, text, keys, None).memory for row, text, keys in records if keys.get("partition") is not None]


def changed_rows(changes: Sequence[tuple[Entry, Entry]], dimension: int) -> list[Rows]:
    """The difference between each entry and its new version, as rows.

    One element per combination of what differs, at most three: ``documents`` is empty and ``vectors`` None where these
    stay. Raises ValueError for what cannot be stored.
    """
    sorts: dict[tuple[bool, bool], list[tuple[Entry, Entry, dict[str, str | int | float | bool | None]]]] = {}
    for before, after in changes:
        was, keys = _metadata(before), _metadata(after)
        said = _cut(before.memory.text, TEXT_BYTES) != _cut(after.memory.text, TEXT_BYTES)
        embeds = said or after.vector is not before.vector
        differing = {key: value for key, value in keys.items() if value != was[key] or (embeds and key == "embedded")}
        if differing:
            sorts.setdefault((said, embeds), []).append((before, after, differing))
    return [
        Rows(
            ids=[before.memory.id for before, _, _ in group],
            documents=[_cut(after.memory.text, TEXT_BYTES) for _, after, _ in group] if said else [],
            metadatas=[differing for _, _, differing in group],
            vectors=np.stack([_checked_vector(after.vector, dimension) for _, after, _ in group]) if embeds else None,
        )
        for (said, embeds), group in sorts.items()
    ]


def blank_rows(ids: Sequence[str], dimension: int) -> Rows:
    """Blank rows without an owner, to overwrite records that are about to be deleted."""
    keys = ("ns", "partition", "about", "last_used", *REPLY_PARTS)
    return Rows(
        ids=list(ids),
        documents=[""] * len(ids),
        metadatas=[{"embedded": False, "uses": 0, **dict.fromkeys(keys)} for _ in ids],
        vectors=np.zeros((len(ids), dimension), np.float32),
    )


def counted(metadata: Metadata, times: int, at: datetime) -> Metadata:
    """The change in the metadata of a record that was used ``times`` more, last at ``at``."""
    return {"uses": int(metadata.get("uses") or 0) + times, "last_used": _time(at)}


def _metadata(entry: Entry) -> Metadata:
    memory = entry.memory
    return {
        "ns": memory.namespace,
        "partition": memory.partition,
        "embedded": entry.vector is not None,
        "about": _about(memory),
        "uses": memory.uses,
        "last_used": _time(memory.last_used),
        **_reply_parts(memory.reply),
    }


def _about(memory: Memory) -> str:
    origin, successor = memory.origin, memory.superseded_by
    fields = {
        "user": memory.user,
        "kind": memory.kind,
        "created": _time(memory.created),
        "project": memory.project,
        "session": memory.session,
        "tags": memory.tags,
        "origin": [origin.role, origin.client, origin.call_id],
        "confidence": memory.confidence,
        "valid_from": _time(memory.valid_from),
        "valid_until": _time(memory.valid_until),
        "superseded_by": successor and [successor.id, successor.reason],
        "pinned": memory.pinned,
        "tokens": memory.tokens,
        "message": memory.message,
        "conversation": memory.conversation,
        "review": memory.review,
        "kept": _time(memory.kept),
    }
    about = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    if len(about) > VALUE_BYTES:
        raise ValueError(f"memory {memory.id}: its fields beside text and reply take more than {VALUE_BYTES} bytes")
    return about.decode()


def _entry(row_id: str, document: str | None, metadata: Metadata, vector: Vectors | None) -> Entry:
    try:
        about = orjson.loads(str(metadata["about"]))
        memory = Memory(
            id=row_id,
            # Interned: all memories share one string.
            partition=intern(str(metadata["partition"])),
            user=intern(about["user"]),
            text=document or "",
            kind=about["kind"],
            created=datetime.fromisoformat(about["created"]),
            project=_shared(about["project"]),
            session=_shared(about["session"]),
            tags=tuple(about["tags"]),
            origin=_origin(*about["origin"]),
            confidence=about["confidence"],
            valid_from=_read_time(about["valid_from"]),
            valid_until=_read_time(about["valid_until"]),
            superseded_by=Superseded(*about["superseded_by"]) if about["superseded_by"] else None,
            pinned=about["pinned"],
            uses=int(metadata["uses"] or 0),
            last_used=_read_time(metadata["last_used"]),
            tokens=about["tokens"],
            reply=_reply(metadata),
            message=about["message"],
            conversation=_shared(about.get("conversation")),
            review=about.get("review"),
            kept=_read_time(about.get("kept")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"Record {row_id} in Chroma is damaged ({type(error).__name__}): restore the store from a backup."
        ) from None
    return Entry(memory, vector if metadata.get("embedded") else None)


def _origin(role: str, client: str | None, call_id: str | None) -> Origin:
    return Origin(intern(role), _shared(client), call_id)


def _shared(text: str | None) -> str | None:
    return None if text is None else intern(text)


def _checked_vector(vector: Vectors | None, dimension: int) -> Vectors:
    if vector is None:
        return np.zeros(dimension, np.float32)
    if vector.shape != (dimension,):
        raise ValueError(f"a vector of shape {vector.shape} cannot be kept among vectors of {dimension} dimensions")
    return vector


def _reply_parts(reply: str | None) -> dict[str, str | None]:
    """The reply in as many metadata values as it needs; None for the others, which removes these keys."""
    rest = "" if reply is None else _cut(reply, REPLY_BYTES)
    parts: dict[str, str | None] = {}
    for key in REPLY_PARTS:
        part = _cut(rest, VALUE_BYTES)
        parts[key], rest = part or None, rest[len(part) :]
    return parts if reply is None else {**parts, REPLY_PARTS[0]: parts[REPLY_PARTS[0]] or ""}


def _reply(metadata: Metadata) -> str | None:
    parts = [metadata.get(key) for key in REPLY_PARTS]
    return None if parts[0] is None else "".join(str(part) for part in parts if part is not None)


def _cut(text: str, size: int) -> str:
    """``text`` as UTF-8 of at most ``size`` bytes; a lone surrogate, which JSON may carry, becomes ``?``."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def _time(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).isoformat()


def _read_time(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
