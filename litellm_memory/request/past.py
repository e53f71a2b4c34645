"""What a person said in a conversation of the past, read as if its requests came now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from litellm_memory.identity import Refusal, identify, read_options
from litellm_memory.models import Caller, Exchange, Reply, Scope, Turn
from litellm_memory.redact import Redactor
from litellm_memory.request.accept import MOST_OF_A_GROUP, is_a_groups
from litellm_memory.request.kinds import classify
from litellm_memory.request.long import MOST_READ
from litellm_memory.request.marks import said_in
from litellm_memory.request.participation import takes_part
from litellm_memory.request.request import Request
from litellm_memory.settings import Settings
from litellm_memory.wire import recognise
from litellm_memory.wire.content import is_longer
from litellm_memory.wire.shapes import repeats_a_file

HEARD_AT_ONCE: Final = 500
"""Messages of a conversation that are heard before other work has the thread: a quarter of a second."""
MOST_BEFORE: Final = 20
"""Messages before another by which it is judged what kind of request asked it: hardly anybody sends more unanswered."""
MOST_ORDERS: Final = 20
"""System texts by which the same is judged: clients have one or two, and those come first."""
IN_A_GROUP: Final = 2 * MOST_OF_A_GROUP
"""Messages in which other speakers are looked for, about half of them a model's."""


@dataclass(frozen=True, slots=True)
class SaidThen:
    """When a person said something, and the answer to it."""

    at: datetime
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What is to be learned from a conversation, and how many of its messages are not, by the reason."""

    exchanges: tuple[Exchange, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def none(cls, reason: str, messages: int) -> Heard:
        """Nothing is learned from so many messages."""
        return cls((), Counter({reason: messages}))


def heard_in(
    request: Request,
    said: Sequence[SaidThen],
    settings: Settings,
    key: bytes,
    redactor: Redactor,
    *,
    may_learn: Callable[[Scope, Caller], bool],
    partition: str | None = None,
    user: str | None = None,
) -> Iterator[Heard]:
    """The person's own words in a conversation, in pieces, by the rules for requests that come now.

    ``said`` belongs to its last messages in the person's name, the newest at the end: those before were heard already.
    ``may_learn``: the word on a scope and its caller. ``partition`` and ``user`` stand in place of those that the
    request has by itself.
    """
    # Each message is read as the last of its request: of more, that takes this thread for minutes.
    if is_longer(request.body, MOST_READ):
        yield Heard.none("too_long", len(said))
        return
    format = recognise(request.call_type, request.route, request.body)
    turn = format.read(request.body) if format else None
    if turn is None:
        yield Heard.none("unknown_shape", len(said))
        return
    options = read_options(request.headers, settings.identity)
    if options.store is False or not takes_part(request.caller.key_alias, settings.keys):
        yield Heard.none("off", len(said))
        return
    scope = identify(request.caller, request.headers, options, turn, settings.identity)
    if isinstance(scope, Refusal):
        yield Heard.none(scope.reason, len(said))
        return
    whose = replace(scope, partition=partition or scope.partition, user=user or scope.user)
    if not may_learn(whose, request.caller):
        yield Heard.none("off", len(said))
        return
    yield from _heard(request, turn, said, whose, settings, key, redactor)


def _heard(
    request: Request,
    turn: Turn,
    said: Sequence[SaidThen],
    scope: Scope,
    settings: Settings,
    key: bytes,
    redactor: Redactor,
) -> Iterator[Heard]:
    places = [place for place, message in enumerate(turn.messages, 1) if message.role == "person"]
    # The mark of a message is the same whatever comes after it.
    every = said_in(turn, scope, key)
    by_place = {one.place: number for number, one in enumerate(every)}
    orders = [place for place, message in enumerate(turn.messages) if message.role == "system"][:MOST_ORDERS]
    rows = [*zip(places[-len(said) :], said[-len(places) :], strict=True)]
    for start in range(0, len(rows), HEARD_AT_ONCE):
        found: list[Exchange] = []
        left_out: Counter[str] = Counter()
        for place, one in rows[start : start + HEARD_AT_ONCE]:
            # A request ends with the message that it asks about.
            kind, reason = classify(_asked(turn, place, MOST_BEFORE, orders), request.headers, settings.kinds)
            own = [by_place[text.place] for text in turn.messages[place - 1].texts if text.place in by_place]
            spoken = own and not repeats_a_file(every[own[0]].text) and not is_a_groups(_asked(turn, place, IN_A_GROUP))
            if kind != "person" or not spoken:
                left_out[reason if kind != "person" else "not_the_persons"] += 1
                continue
            found.append(
                Exchange(
                    f"{request.id}:{place}",
                    scope,
                    every[own[0]].mark,
                    redactor.text(every[own[0]].text),
                    one.at,
                    reply=Reply(redactor.text(one.reply), complete=True) if one.reply else None,
                    place=own[0] + 1,
                    before=every[own[0] - 1].mark if own[0] else None,
                )
            )
        yield Heard(tuple(found), left_out)


def _asked(turn: Turn, place: int, most: int, orders: Sequence[int] = ()) -> Turn:
    """The request that asked message number ``place``, with ``most`` messages before it, and these before those."""
    first = max(0, place - 1 - most)
    before = (turn.messages[order] for order in orders if order < first)
    return replace(turn, messages=(*before, *turn.messages[first:place]))
