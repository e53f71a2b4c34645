"""Which message is which: a keyed mark for each message of a person, the same whenever a client sends it again."""

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
    """The person's messages of a conversation in order. ``after``: what stands for the part that the server keeps.

    A mark covers the whole of what the person said up to that message, inside one namespace, project and session. So
    the same words of another person, in another project or conversation, or after other words have another mark: what
    one scope was given is never put back in another. Nobody without ``key`` can make one.

    ``scope`` has its project as the client told it: what a path is an alias of may become known in the middle of a
    conversation. One that a session tells from others goes by its path, because Codex finds its remote only while its
    first request is on the way.
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
