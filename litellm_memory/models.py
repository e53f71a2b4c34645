"""The data types that all rooms share. Frozen dataclasses, standard library only."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

MAX_NAME_CHARACTERS: Final = 256
LAYER: Final = "layer."
"""How the partition of what a team shares begins; all others are hex digits, or ``default``."""

Body: TypeAlias = Mapping[str, Any]
"""A request body, parsed from JSON. Never changed in place."""

Place: TypeAlias = tuple[str | int, ...]
"""The path from a body to one of its texts, as keys and indexes: ``("messages", 3, "content", 0, "text")``."""

Role: TypeAlias = Literal["person", "assistant", "tool", "system"]
Kind: TypeAlias = Literal["person", "continuation", "side_call", "compaction", "probe", "subagent", "other"]
Position: TypeAlias = Literal["turn", "system", "first_user", "before_last"]
"""Where in a request a block goes."""
Status: TypeAlias = Literal["injected", "replayed", "empty", "skipped", "off", "late", "error"]
MemoryKind: TypeAlias = Literal["fact", "preference", "decision", "instruction", "episode"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, as LiteLLM verified it. Nothing in here comes from a header or body that the client wrote."""

    user: str | None = None
    team: str | None = None
    key: str | None = None
    """The hash of the verified key, never the key."""
    key_alias: str | None = None
    email: str | None = None
    team_alias: str | None = None
    organization: str | None = None
    organization_alias: str | None = None
    role: str | None = None
    master: bool = False
    inject: bool = True
    remember: bool = True
    """False when the metadata of the key, its team, its organization or its project switches it off."""
    unlogged: bool = False
    """LiteLLM is configured, for this key or its team, not to log messages."""
    may_be_logged: bool = False
    """The key or its team lets its client override a global setting that keeps messages out of logs."""
    user_headers: frozenset[str] = frozenset()
    """Headers, in lower case, from which LiteLLM takes a user as configured: each one names an end user."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory a request may see. The partition comes from the verified key; the rest only narrows it."""

    partition: str
    user: str
    project: str | None = None
    session: str | None = None
    client: str | None = None
    only_session: bool = False
    """The client named the session in a memory header: recall and storage stay inside it."""
    path: str | None = None
    """The working directory that the client states, when nothing else named the project."""
    conversation: str | None = None
    """The mark of the conversation's first message, where no session is named: what is learned from it has it."""

    @property
    def namespace(self) -> str:
        """32 hex digits for this user of this partition: the key under which memories are kept and searched."""
        return namespace(self.partition, self.user)


def namespace(partition: str, user: str) -> str:
    """32 hex digits for one user of one partition, unique to the pair (the length is hashed too)."""
    return sha256(f"{len(partition)}:{partition}:{user}".encode()).hexdigest()[:32]


def readable_id(value: str) -> str | None:
    """``value`` as the id of a user, project or session, in Unicode NFC; None when it cannot be one.

    An id has 1 to 256 characters, is not blank, and has no control characters or line separators; the credentials of
    an address are taken out.
    """
    text = readable_text(_CREDENTIALS.sub("", value))
    return text if text is not None and len(text) <= MAX_NAME_CHARACTERS else None


def readable_text(value: str) -> str | None:
    """``value`` stripped, in Unicode NFC; None when it is blank or has control characters."""
    text = unicodedata.normalize("NFC", value).strip()
    if not text or any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        return None
    return text


_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]{1,256}@")


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a message, as the client sent it, and its place in the body."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation in any wire format. ``tools``: it carries a tool call or a tool's result.

    Only the person's messages and those of the system have ``texts``.
    """

    role: Role
    texts: tuple[Text, ...] = ()
    tools: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """A parsed request body: its conversation and settings, in the same shape for every wire format."""

    messages: tuple[Message, ...]
    model: str | None = None
    tools: bool = False
    """The request offers tools to the model."""
    tool_count: int = 0
    """How many it offers."""
    max_tokens: int | None = None
    output_keys: tuple[str, ...] = ()
    """Property names of a JSON schema that the answer must follow."""
    previous: str | None = None
    """Id of the previous answer, in a conversation that the server keeps."""
    user: str | None = None
    """The end user that the body claims."""
    session: str | None = None
    """The session id in the body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as the client received it. ``complete``: the format's own end mark was seen."""

    text: str
    tools: bool = False
    complete: bool = False
    id: str | None = None
    """Id by which a later request continues from this answer, in a conversation that the server keeps; else None."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The state of a conversation that the server keeps: its newest message of the person, and the memories in it."""

    mark: str
    carried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Who said it (``person``, ``assistant``, ``api``, ``import``), in which client, in which call."""

    role: str = "api"
    client: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Superseded:
    """The memory that superseded this one, and why."""

    id: str
    reason: str


NAMESPACE_DIGITS = 16
"""An id begins with this many hex digits of its namespace."""
_ID = re.compile(r"[0-9a-f]{40}")


def memory_id(namespace: str, *parts: str, key: bytes) -> str:
    """40 hex digits, deterministic for the same ``parts`` in ``namespace``.

    They begin with the namespace's first digits, so that the id alone determines the collection; the other 24 are a
    keyed hash, which nobody without ``key`` can guess.
    """
    named = b"".join(b"%d:%b" % (len(part), part) for part in (text.encode(errors="replace") for text in parts))
    digest = hmac.new(key, namespace.encode() + b":" + named, sha256).hexdigest()
    return namespace[:NAMESPACE_DIGITS] + digest[: 40 - NAMESPACE_DIGITS]


def is_memory_id(text: str) -> bool:
    """True when ``text`` has the format of ``memory_id``; ids from outside may be anything."""
    return _ID.fullmatch(text) is not None


CONFIRMED = 0.1
"""Added to a memory's confidence each time the same thing is said again."""


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered thing. Times are timezone-aware, in UTC."""

    id: str
    partition: str
    user: str
    text: str
    kind: MemoryKind
    created: datetime
    project: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)
    confidence: float = 1.0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    superseded_by: Superseded | None = None
    pinned: bool = False
    uses: int = 0
    last_used: datetime | None = None
    tokens: int = 0
    reply: str | None = None
    """The answer to this message: shown with it and counted in its tokens, never searched by itself."""
    message: str | None = None
    """Mark of the message that it was learned from."""
    conversation: str | None = None
    """Mark of the first message of the conversation that it was learned from, where no session was named."""
    review: str | None = None
    """Why it waits for its owner's approval; None when it does not."""
    kept: datetime | None = None
    """When it came here, by an import or with another time than now; None when that is ``created``."""

    @property
    def namespace(self) -> str:
        """The namespace that keeps this memory."""
        return namespace(self.partition, self.user)

    @property
    def touched(self) -> datetime:
        """When it was made here, came here or was given last."""
        return max(self.kept or self.created, self.last_used or self.kept or self.created)

    def in_force(self, now: datetime) -> bool:
        """True when it waits for no review, is not superseded and is valid at ``now``."""
        if self.superseded_by is not None or self.review is not None:
            return False
        # A memory that was valid when created stays so, even if the clock was set back since.
        return (self.valid_from is None or self.valid_from <= max(now, self.created)) and (
            self.valid_until is None or now < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory with its score (0 to 1, higher is better) and the parts of that score: see docs/api.md."""

    memory: Memory
    score: float
    why: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """One memory of a block: its id, its lines in the block, and what they cost in tokens."""

    memory: str
    text: str
    tokens: int
    heading: str = ""
    """The heading line above it, shared with its neighbours; empty when it has none."""


@dataclass(frozen=True, slots=True)
class BlockStyle:
    """ai-mem's style of block: one-line summaries, with the best memories in full."""

    full: int = 4
    """At most this many memories are given in full."""
    summaries: bool = False
    """Every memory is given as a summary; ``full`` is ignored."""
    show_tokens: bool = True
    """The last line says how many tokens the block costs and saves, as counted when it was created."""
    wrap: bool = True
    """The block is wrapped in the tag that these clients recognise."""

    @property
    def full_entries(self) -> int:
        """How many memories are given in full; standing instructions always are and do not count."""
        return 0 if self.summaries else self.full


@dataclass(frozen=True, slots=True)
class Block:
    """The frozen text that one message of a person was given. An empty text is final too: the message gets none."""

    mark: str
    text: str = ""
    given: tuple[Given, ...] = ()
    answered: bool = False
    """A model has answered the message: if it comes as the newest again, that is not a retry but a new start."""

    @property
    def tokens(self) -> int:
        """The sum of its memories' token counts."""
        return sum(given.tokens for given in self.given)

    def without(self, memories: Collection[str]) -> Block:
        """This block without these memories, every other byte unchanged; empty when none is left."""
        kept = tuple(given for given in self.given if given.memory not in memories)
        if not kept:
            return replace(self, text="", given=())
        before, after = ("\n".join(lines_of(given)) for given in (self.given, kept))
        return replace(self, text=self.text.replace(before, after, 1), given=kept)


def lines_of(given: Iterable[Given]) -> list[str]:
    """The lines of a block between its opening and closing tags."""
    return [
        line
        for heading, entries in groupby(given, key=lambda one: one.heading)
        for line in ([heading] if heading else []) + [entry.text for entry in entries]
    ]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A person's own words, redacted, and the answer that ended the turn (None when it failed)."""

    id: str
    scope: Scope
    mark: str
    text: str
    said: datetime
    model: str | None = None
    reply: Reply | None = None
    again: bool = False
    """The message was learned from before: repeating it only restores what has been superseded since."""
    place: int = 0
    """Its number among the person's messages of the conversation, from 1."""
    before: str | None = None
    """The mark of the person's message before it in the conversation."""
