"""Conversations with memory and without, request by request, and what has to be the same on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx
from bed.proxy import Proxy
from cache_clients import Client, Step
from cache_models import Usage, common_beginning
from cache_prompt import BYTES_A_TOKEN, Prompt, Segment
from cache_provider import CachingProvider, Desk, Served

LEAST_RATIO = 0.99
"""Of what was sent before, memory may cost at most one token in a hundred of those that the cache would have served."""
MOST_MARKS = 4

_BLOCK = re.compile(rb"<memory note=.*?</memory>(?:\\n\\n)?", re.DOTALL)
_SHOWN = 60

Side: TypeAlias = str
SIDES: tuple[Side, Side] = ("on", "off")


@dataclass(frozen=True, slots=True)
class Door:
    """Where one side asks: a proxy, and the headers that go with every request."""

    proxy: Proxy
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """One request of a conversation as it reached the provider on each side, and what memory said of it."""

    step: Step
    on: Served
    off: Served
    status: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that did not hold, at which request, and what shows it."""

    request: int
    promise: str
    shown: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one conversation showed: shares of the tokens that were sent before, and of all tokens."""

    conversation: str
    requests: int
    turns: int
    turns_with_block: int
    resent_on: float
    resent_off: float
    whole_on: float
    whole_off: float
    block_tokens: int
    """Tokens of all blocks, each counted once."""
    broken: Sequence[Broken]

    @property
    def ratio(self) -> float:
        """What the cache serves of what was sent before, with memory to without."""
        return self.resent_on / self.resent_off if self.resent_off else 1.0

    @property
    def ratio_of_all(self) -> float:
        """What the cache serves of all tokens; new blocks are new tokens, which no cache can have."""
        return self.whole_on / self.whole_off if self.whole_off else 1.0


@dataclass(slots=True)
class Conversation:
    """One conversation, held on both sides at once and in the same order."""

    id: str
    client: Client
    steps: Sequence[Step]
    desks: Mapping[Side, Desk] = field(default_factory=lambda: {side: Desk() for side in SIDES})
    pairs: list[Pair] = field(default_factory=list)

    @property
    def half(self) -> int:
        """How many requests are half of them."""
        return len(self.steps) // 2

    def go_on(self, provider: CachingProvider, doors: Mapping[Side, Door], *, requests: int | None = None) -> bool:
        """Sends so many more requests, or all that are left; False when there was none."""
        left = self.steps[len(self.pairs) :]
        for step in left[:requests]:
            order = SIDES if len(self.pairs) % 2 else SIDES[::-1]
            seen = {side: self._ask(provider, doors[side], side, step) for side in order}
            (on, status), (off, _) = seen["on"], seen["off"]
            self.pairs.append(Pair(step, on, off, status))
        return bool(left)

    def _ask(self, provider: CachingProvider, door: Door, side: Side, step: Step) -> tuple[Served, str]:
        """What reached the provider, and the memory status that the client was told."""
        provider.desk = desk = self.desks[side]
        desk.answer, before = step.answer, len(desk.served)
        # A new connection each time, so that every worker of the proxy gets its turn.
        with door.proxy.client() as client:
            status = self._sent(client, door, step)
        if len(desk.served) == before:
            raise RuntimeError(f"{self.id}, {side}: nothing reached the provider:\n{door.proxy.log[-4000:]}")
        return desk.served[-1], status

    def _sent(self, client: httpx.Client, door: Door, step: Step) -> str:
        headers = {"x-memory-user-id": user_of(self), **self.client.headers, **step.headers, **door.headers}
        told = ""
        try:
            with client.stream(
                "POST", self.client.path, params=dict(self.client.query), headers=headers, json=step.body
            ) as answer:
                told = str(answer.headers.get("x-memory-status", ""))
                content = answer.read()
        except httpx.RemoteProtocolError:
            if not step.answer.breaks:
                raise
            return told
        if answer.status_code != 200 and not step.fails:
            raise RuntimeError(f"{self.id}: {answer.status_code} {content[:500]!r}\n{door.proxy.log[-4000:]}")
        return told


def result(conversation: Conversation) -> Result:
    """What a whole conversation showed."""
    pairs = conversation.pairs
    new = _new_blocks(pairs)
    persons = [number for number, pair in enumerate(pairs) if pair.step.kind == "person"]
    given = [number for number in persons if new[number]]
    resent = [_resent(pairs, number) for number in range(len(pairs))]
    blocks = {block for found in new for block in found}
    return Result(
        conversation=conversation.id,
        requests=len(pairs),
        turns=len(persons),
        turns_with_block=len(given),
        resent_on=_share([(_served(pair.on.usage), sent.on) for pair, sent in zip(pairs, resent, strict=True)]),
        resent_off=_share([(_served(pair.off.usage), sent.off) for pair, sent in zip(pairs, resent, strict=True)]),
        whole_on=_share([(pair.on.usage.read, pair.on.usage.prompt) for pair in pairs]),
        whole_off=_share([(pair.off.usage.read, pair.off.usage.prompt) for pair in pairs]),
        block_tokens=sum(map(len, blocks)) // BYTES_A_TOKEN,
        broken=[*_broken(pairs, new, resent)],
    )


@dataclass(frozen=True, slots=True)
class _Resent:
    """What of a request was sent before: tokens on each side, and whether the provider got the same bytes again."""

    on: int
    off: int
    difference: str | None


def _resent(pairs: Sequence[Pair], number: int) -> _Resent:
    """Compared with the earlier request that it goes on from: the one that without memory it shares most with."""
    pair = pairs[number]
    common = {
        place: _common(pair.off.prompt, other.off.prompt)
        for place, other in enumerate(pairs[:number])
        if pair.step.kind == "again" or other.step.body != pair.step.body
    }
    if not common or not any(common.values()):
        return _Resent(0, 0, None)
    before = max(common, key=lambda place: (common[place], place))
    count = common[before]
    difference = None
    if _common(pair.on.prompt, pairs[before].on.prompt) < count:
        difference = _difference(pairs[before].on.prompt, pair.on.prompt)
    return _Resent(_tokens(pair.on.prompt, count), _tokens(pair.off.prompt, count), difference)


def _common(one: Prompt, other: Prompt) -> int:
    """How many segments of the client's own two prompts begin with: blocks must be the same, but are not counted."""
    count = 0
    for mine, theirs in zip(one.segments, other.segments, strict=False):
        if mine.content != theirs.content:
            break
        count += not mine.is_block
    return count


def _tokens(prompt: Prompt, count: int) -> int:
    """The tokens up to the client's own segment number ``count``, blocks before it included."""
    length = 0
    for segment in prompt.segments:
        if count == 0:
            break
        length += len(segment.content)
        count -= not segment.is_block
    return length // BYTES_A_TOKEN


def _difference(before: Prompt, now: Prompt) -> str:
    at = common_beginning(before.content, now.content)
    start = max(0, at - _SHOWN)
    return f"{before.content[start : at + _SHOWN]!r} became {now.content[start : at + _SHOWN]!r}"


def _new_blocks(pairs: Sequence[Pair]) -> list[list[bytes]]:
    """The blocks of each request that no request before it had."""
    known: set[bytes] = set()
    found = []
    for pair in pairs:
        blocks = _BLOCK.findall(pair.on.prompt.content)
        found.append([block for block in blocks if block not in known])
        known |= set(blocks)
    return found


def _broken(pairs: Sequence[Pair], new: Sequence[Sequence[bytes]], resent: Sequence[_Resent]) -> Iterator[Broken]:
    for number, (pair, blocks, sent) in enumerate(zip(pairs, new, resent, strict=True)):
        on, off = pair.on.prompt, pair.off.prompt
        if sent.difference:
            yield Broken(number, "what was sent before is sent again, byte for byte", sent.difference)
        if _without_blocks(on.segments) != [segment.content for segment in off.segments]:
            yield Broken(number, "nothing but blocks is added", _difference(off, Prompt(_stripped(on.segments))))
        if on.preface != off.preface:
            yield Broken(number, "tools and system stay as they are", _difference(off, on))
        if len(on.ends) != len(off.ends) or len(on.ends) > MOST_MARKS:
            yield Broken(number, "no cache mark is added or lost", f"{len(off.ends)} became {len(on.ends)}")
        if len(blocks) > (pair.step.kind == "person"):
            yield Broken(
                number, "only a person's turn gets a block, and only one", f"{len(blocks)} at {pair.step.kind}"
            )
        if (pair.status == "injected" and pair.step.kind != "person") or (blocks and pair.status != "injected"):
            yield Broken(number, "one recall for each turn", f"{pair.status} at {pair.step.kind}")
        if pair.step.kind == "again" and on.content != pairs[number - 1].on.prompt.content:
            yield Broken(number, "a request sent again is the same", _difference(pairs[number - 1].on.prompt, on))


def _stripped(segments: Sequence[Segment]) -> list[Segment]:
    """Segments as they would be without memory."""
    return [
        Segment(_BLOCK.sub(b"", segment.content), segment.message, segment.ends)
        for segment in segments
        if not segment.is_block
    ]


def _without_blocks(segments: Sequence[Segment]) -> list[bytes]:
    return [segment.content for segment in _stripped(segments)]


def _served(usage: Usage) -> int:
    """The tokens read, and the rest of the last step: that the cache serves whole steps is no loss of ours."""
    return usage.read + usage.step - 1 if usage.read else 0


def _share(tokens: Sequence[tuple[int, int]]) -> float:
    """Tokens read of tokens sent, at most all of them in each request."""
    sent = sum(whole for _, whole in tokens)
    return sum(min(read, whole) for read, whole in tokens) / sent if sent else 0.0


def user_of(conversation: Conversation) -> str:
    """Who talks in it: somebody of their own, so that no conversation learns from another."""
    return re.sub(r"[^a-z0-9]+", "-", conversation.id)
