"""Recognises a message that a client sends again: each message of a person has a keyed, deterministic mark."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from threading import Lock

from litellm_memory.models import Place, Scope, Text, Turn
from litellm_memory.wire.own_words import own_words

MAX_KNOWN_MARKS = 20_000
"""Marks of earlier requests that are kept: 2 MB."""
KNOWN_FROM = 4
"""Conversations of fewer messages of the person are not looked up: computing their marks takes no longer."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the person: its own words, where they begin in the body, and its mark."""

    mark: str
    text: str
    place: Place


def said_in(turn: Turn, scope: Scope, key: bytes, *, after: str = "") -> list[Said]:
    """The person's messages of a conversation in order. ``after``: the mark that the server-side part ends with.

    A mark is an HMAC over everything the person said up to that message, in one namespace, project and session. The
    same words of another person, in another project or conversation, or after other words get another mark, so a block
    is never replayed in another scope. Nobody without ``key`` can forge one.

    ``scope`` must have its project as the client sent it, because an alias may become known in mid-conversation. With
    a session id the path is used instead of the project: Codex finds its git remote only after its first request.
    """
    project = scope.path if scope.path and scope.session else scope.project
    only = "only" if scope.only_session else ""
    first = _first_mark(key, scope.namespace, project or "", scope.session or "", only, after)
    found = own_words_in(turn)
    texts = [words_of(own) for own in found]
    marks = _known.marks(key, first, texts)
    return [Said(mark, text, own[0].place) for mark, text, own in zip(marks, texts, found, strict=True)]


def own_words_in(turn: Turn) -> list[Sequence[Text]]:
    """The own words of each message of the person that has some, in order."""
    return [
        own
        for before, message in zip((None, *turn.messages), turn.messages, strict=False)
        if message.role == "person" and (own := own_words(message, before))
    ]


def words_of(own: Sequence[Text]) -> str:
    """The own words of one message as one text."""
    return own[0].text if len(own) == 1 else "\n\n".join(part.text for part in own)


class _KnownMarks:
    """The marks of conversations that were read before, by a digest of what was said: an LRU cache without any text."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, bytes], tuple[str, ...]] = {}
        self._count = 0
        self._lock = Lock()

    def marks(self, key: bytes, first: str, texts: Sequence[str]) -> Sequence[str]:
        """The marks of ``texts`` in order, after the mark ``first``. Known are those of a conversation and of its next
        message: a request mostly repeats the one before it, with at most one new message of the person."""
        if len(texts) < KNOWN_FROM:
            return _extended(key, first, (), texts)
        digest = sha256(_framed(texts[:-1]))
        before = (first, digest.digest())
        digest.update(_framed(texts[-1:]))
        now = (first, digest.digest())
        with self._lock:
            marks = self._taken(now) or _extended(key, first, self._taken(before), texts)
            self._keep(now, marks)
        return marks

    def _taken(self, name: tuple[str, bytes]) -> tuple[str, ...]:
        marks = self._marks.pop(name, ())
        self._count -= len(marks)
        return marks

    def _keep(self, name: tuple[str, bytes], marks: tuple[str, ...]) -> None:
        self._marks[name] = marks
        self._count += len(marks)
        while self._count > MAX_KNOWN_MARKS:
            self._taken(next(iter(self._marks)))


_known = _KnownMarks()


def _extended(key: bytes, first: str, known: tuple[str, ...], texts: Sequence[str]) -> tuple[str, ...]:
    """The marks of ``texts``, of which the first are ``known``."""
    marks = [*known]
    for text in texts[len(known) :]:
        marks.append(_mark(key, marks[-1] if marks else first, text))
    return tuple(marks)


def _framed(texts: Sequence[str]) -> bytes:
    """These texts as bytes that no other texts have."""
    return "".join([f"{len(text)}:{text}" for text in texts]).encode("utf-8", "surrogatepass")


@lru_cache(1024)
def _first_mark(key: bytes, *parts: str) -> str:
    """The mark that the conversations of a scope begin with."""
    mark = ""
    for part in parts:
        mark = _mark(key, mark, part)
    return mark


def _mark(key: bytes, before: str, text: str) -> str:
    return hmac.digest(key, f"{len(before)}:{before}{text}".encode("utf-8", "surrogatepass"), "sha256").hex()[:40]
