"""The nouns. Frozen, standard library only: every room speaks in these words."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any, Literal, TypeAlias

Body: TypeAlias = Mapping[str, Any]
"""A request body as JSON gave it. Never changed in place."""

Place: TypeAlias = tuple[str | int, ...]
"""The way from a body to one of its texts, as keys and indexes: ``("messages", 3, "content", 0, "text")``."""

Role: TypeAlias = Literal["person", "assistant", "tool", "system"]
Kind: TypeAlias = Literal["person", "continuation", "side_call", "compaction", "probe", "subagent", "other"]
Position: TypeAlias = Literal["turn", "system", "first_user", "before_last"]
"""Where in a request a block goes."""
Status: TypeAlias = Literal["injected", "replayed", "empty", "skipped", "off", "late", "error"]
MemoryKind: TypeAlias = Literal["fact", "preference", "decision", "instruction", "episode"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who LiteLLM says is calling. Nothing in here comes from a header or a body that the client wrote."""

    user: str | None = None
    team: str | None = None
    key: str | None = None
    """The hash of the verified key, never the key."""
    key_alias: str | None = None
    master: bool = False
    inject: bool = True
    remember: bool = True
    """The two switches, as the metadata of the key and of its team narrow them."""
    unlogged: bool = False
    """LiteLLM was told, for this key or its team, not to keep messages."""


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
    """The directory that the client itself says it works in, when nothing else named the project."""

    @property
    def namespace(self) -> str:
        """32 hex digits for this user of this partition: the key under which memories are kept and searched."""
        return namespace(self.partition, self.user)


def namespace(partition: str, user: str) -> str:
    """32 hex digits that stand for one user of one partition; no two pairs share one (lengths are hashed too)."""
    return sha256(f"{len(partition)}:{partition}:{user}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a message, as the client sent it, and where it stands in the body."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation in any wire format. ``tools``: it carries a tool call or a tool's result."""

    role: Role
    texts: tuple[Text, ...] = ()
    tools: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request asks, and the conversation around it: the same shape for every wire format."""

    messages: tuple[Message, ...]
    model: str | None = None
    tools: bool = False
    """The request offers tools to the model."""
    max_tokens: int | None = None
    output_keys: tuple[str, ...] = ()
    """Property names of a JSON schema that the answer must follow."""
    previous: str | None = None
    """Id of the answer that a conversation kept by the server goes on from."""
    user: str | None = None
    """The body's own claim of an end user."""
    session: str | None = None
    """A session id that the body itself carries."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer as the client received it. ``complete``: the format's own end mark was seen."""

    text: str
    tools: bool = False
    complete: bool = False
    id: str | None = None
    """By which a conversation that the server keeps goes on from this answer; None where servers keep none."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where a conversation that the server keeps stands: the person's newest message, and the memories it carries."""

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
    """The memory that took this one's place, and why."""

    id: str
    reason: str


NAMESPACE_DIGITS = 16
"""How many hex digits of its namespace an id begins with."""
_ID = re.compile(r"[0-9a-f]{40}")


def memory_id(namespace: str, *parts: str, key: bytes) -> str:
    """40 hex digits for the thing that ``parts`` name in ``namespace``: the same again for the same parts.

    They begin with the namespace's own first digits, so that the collection is known from the id alone; the other
    24 are a keyed hash, which nobody without ``key`` can guess.
    """
    named = b"".join(b"%d:%b" % (len(part), part) for part in (text.encode(errors="replace") for text in parts))
    digest = hmac.new(key, namespace.encode() + b":" + named, sha256).hexdigest()
    return namespace[:NAMESPACE_DIGITS] + digest[: 40 - NAMESPACE_DIGITS]


def is_memory_id(text: str) -> bool:
    """True for the shape that ``memory_id`` gives; ids from outside may be anything."""
    return _ID.fullmatch(text) is not None


CONFIRMED = 0.1
"""What a memory's confidence gains each time the same thing is said again."""


@dataclass(frozen=True, slots=True)
class Memory:
    """One remembered thing. Times are aware, in UTC."""

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
    """The answer to this message: shown and packed with it, never searched by itself."""
    message: str | None = None
    """Mark of the message that it was learned from."""
    review: str | None = None
    """Why it waits for its owner's word; None when it does not wait."""

    @property
    def namespace(self) -> str:
        """The namespace that keeps this memory."""
        return namespace(self.partition, self.user)

    @property
    def characters(self) -> int:
        """How long its texts are: its own and that of the reply."""
        return len(self.text) + len(self.reply or "")

    def in_force(self, now: datetime) -> bool:
        """True while it waits for no review, nothing has superseded it and ``now`` lies in its time of validity."""
        if self.superseded_by is not None or self.review is not None:
            return False
        # What was true when it was kept is true, whatever the clock was set to since.
        return (self.valid_from is None or self.valid_from <= max(now, self.created)) and (
            self.valid_until is None or now < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory with its score (0 to 1, higher is nearer) and every part that the score came from: see docs/api.md."""

    memory: Memory
    score: float
    why: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """One memory of a block: its id, the lines that stand for it, and what they cost in tokens."""

    memory: str
    text: str
    tokens: int
    heading: str = ""
    """The line that it stands under together with its neighbours; empty when it stands alone."""


@dataclass(frozen=True, slots=True)
class BlockStyle:
    """How a client wants its block: as clients of ai-mem know it, one-line summaries, the nearest memories in full."""

    full: int = 4
    """At most this many memories are given in full."""
    summaries: bool = False
    """Every memory is given as a summary; ``full`` does not count."""
    show_tokens: bool = True
    """The last line says how many tokens the block cost and saved, by the counts from when it was made."""
    wrap: bool = True
    """The block is wrapped in the tag by which these clients recognise it."""

    @property
    def full_entries(self) -> int:
        """How many memories are given in full; standing instructions always are and do not count."""
        return 0 if self.summaries else self.full


@dataclass(frozen=True, slots=True)
class Block:
    """The text that was given to one message of a person, frozen. An empty text: nothing was given, for good."""

    mark: str
    text: str = ""
    given: tuple[Given, ...] = ()
    answered: bool = False
    """A model has answered the message: sent as the newest again, it is no retry but begins something new."""

    @property
    def tokens(self) -> int:
        """What the block costs, by the token counts of its memories."""
        return sum(given.tokens for given in self.given)

    def without(self, memories: Collection[str]) -> Block:
        """This block with these memories cut out and every other byte as it was; empty when none is left."""
        kept = tuple(given for given in self.given if given.memory not in memories)
        if not kept:
            return replace(self, text="", given=())
        before, after = ("\n".join(lines_of(given)) for given in (self.given, kept))
        return replace(self, text=self.text.replace(before, after, 1), given=kept)


def lines_of(given: Iterable[Given]) -> list[str]:
    """The lines of a block between its first and its last."""
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
    """The message was learned from before: said again, it brings back what has been superseded since, and no more."""
