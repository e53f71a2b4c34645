"""Recognises a message that a client sends again: each message of a person has a keyed, deterministic mark."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from litellm_memory.models import Place, Scope, Turn
from litellm_memory.wire.own_words import own_words


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
    mark = ""
    project = scope.path if scope.path and scope.session else scope.project
    for part in (scope.namespace, project, scope.session, "only" if scope.only_session else None, after):
        mark = _mark(key, mark, part or "")
    said: list[Said] = []
    for message in turn.messages:
        own = own_words(message) if message.role == "person" else ()
        if own:
            text = "\n\n".join(part.text for part in own)
            mark = _mark(key, mark, text)
            said.append(Said(mark, text, own[0].place))
    return said


def _mark(key: bytes, before: str, text: str) -> str:
    return hmac.digest(key, f"{len(before)}:{before}{text}".encode("utf-8", "surrogatepass"), "sha256").hex()[:40]
