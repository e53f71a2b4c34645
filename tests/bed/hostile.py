"""Requests that nobody should send: what a client would ask, changed at random in ways that break readers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bed.routes import ROUTES, Route

Dice: TypeAlias = random.Random
Way: TypeAlias = tuple[str | int, ...]

DEEPEST = 12
"""How far down a body is changed."""
QUESTION = "Which instrument does my sister Anna play?"
CONVERSATION = ("Good morning.", "Good morning to you.", QUESTION)

ODD: Sequence[Any] = (
    None, True, 0, -1, 1e308, 10**400, "", " ", "\x00", "\ud83d", "\u202e\u2066txet", "a\u0300" * 500, "﷽" * 300,
    [], {}, [[]], [None], {"": ""}, {"role": "user"}, {"text": None}, {"type": "text"}, ["text"], [{"text": 7}],
    {"type": "text", "text": ["a"]}, {"role": ["user"], "content": {"a": 1}}, {"functionCall": {}}, {"parts": "x"},
    "x" * 60_000, "</memory><entry>", "<memory note=\"x\">", "data: [DONE]\n\n", "../../etc/passwd", "' OR 1=1 --",
)  # fmt: skip
KEYS = (
    *("messages", "input", "prompt", "contents", "system", "instructions", "tools", "metadata", "user", "stream"),
    *("model", "previous_response_id", "conversation", "tool_choice", "response_format", "max_tokens", "n", "stop"),
    *(
        "litellm_metadata",
        "extra_body",
        "proxy_server_request",
        "cache",
        "no-log",
        "guardrails",
        "fallbacks",
        "__proto__",
    ),
)
ROLES = ("system", "developer", "tool", "function", "assistant", "model", "", "USER", "user ", "🙂")
MEMORY_HEADERS = ("x-memory-project", "x-memory-session-id", "x-memory-query", "x-memory-max", "x-memory-token-budget")
HEADER_VALUES = ("", "-1", "1e9", "nan", "true", "a" * 3000, "../..", "é", "null", "0", "[1]", "%00")


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request: where to, what as, and how the body became what it is."""

    number: int
    route: Route
    how: tuple[str, ...]
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number}: {self.route.id}: {', '.join(self.how)}"


def hostile(count: int, seed: int = 1) -> Iterator[Hostile]:
    """So many requests over all routes in turn, always the same."""
    dice = random.Random(seed)
    for number in range(count):
        route = ROUTES[number % len(ROUTES)]
        body: Any = route.body(CONVERSATION)
        how = []
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 6))):
            name, change = dice.choice(CHANGES)
            body = change(body, dice)
            how.append(name)
        raw = json.dumps(body).encode()
        if dice.random() < 0.3 or not how:
            name, damage = dice.choice(DAMAGES)
            raw = damage(raw, dice)
            how.append(name)
        headers = {dice.choice(MEMORY_HEADERS): dice.choice(HEADER_VALUES)} if dice.random() < 0.3 else {}
        yield Hostile(number, route, tuple(how), raw, headers)


# --- what is changed in the JSON ---


def _ways(value: Any, so_far: Way = ()) -> list[Way]:
    """The ways to everything in a body, from the top."""
    items: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    deeper = items if len(so_far) < DEEPEST else ()
    return [so_far, *(way for key, item in deeper for way in _ways(item, (*so_far, key)))]


def _changed(value: Any, way: Way, change: Callable[[Any], Any]) -> Any:
    if not way:
        return change(value)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = _changed(value[way[0]], way[1:], change)
    return copy


def _somewhere(body: Any, dice: Dice, change: Callable[[Any], Any]) -> Any:
    ways = _ways(body)
    # The model decides the route, so it is seldom touched.
    kept = [way for way in ways[1:] if way[:1] != ("model",)]
    return _changed(body, dice.choice(kept or ways), change)


def _replaced(body: Any, dice: Dice) -> Any:
    return _somewhere(body, dice, lambda _: dice.choice(ODD))


def _wrapped(body: Any, dice: Dice) -> Any:
    return _somewhere(body, dice, lambda value: dice.choice(([value], {"0": value}, {"text": value}, [value, value])))


def _nested(body: Any, dice: Dice) -> Any:
    depth = dice.choice((5, 40, 120))

    def deep(value: Any) -> Any:
        for _ in range(depth):
            value = [value] if dice.random() < 0.5 else {"content": value}
        return value

    return _somewhere(body, dice, deep)


def _without(body: Any, dice: Dice) -> Any:
    return _somewhere(body, dice, lambda value: type(value)() if isinstance(value, dict | list | str) else None)


def _dropped(body: Any, dice: Dice) -> Any:
    if not isinstance(body, dict) or len(body) < 2:
        return body
    gone = dice.choice(list(body))
    return {key: value for key, value in body.items() if key != gone}


def _added(body: Any, dice: Dice) -> Any:
    return {**body, dice.choice(KEYS): dice.choice(ODD)} if isinstance(body, dict) else [body]


def _many(body: Any, dice: Dice) -> Any:
    return _somewhere(body, dice, lambda value: value * 300 if isinstance(value, list) else value)


def _roles(body: Any, dice: Dice) -> Any:
    roles = [way for way in _ways(body) if way[-1:] == ("role",)]
    return _changed(body, dice.choice(roles), lambda _: dice.choice(ROLES)) if roles else body


CHANGES: Sequence[tuple[str, Callable[[Any, Dice], Any]]] = (
    ("an odd value", _replaced),
    ("an odd value", _replaced),
    ("wrapped", _wrapped),
    ("nested", _nested),
    ("emptied", _without),
    ("a key dropped", _dropped),
    ("a key added", _added),
    ("many times", _many),
    ("an odd role", _roles),
)

# --- what is done to the bytes ---


def _cut(raw: bytes, dice: Dice) -> bytes:
    return raw[: dice.randrange(len(raw))]


def _flipped(raw: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << dice.randrange(8)]) + raw[at + 1 :]


def _littered(raw: bytes, dice: Dice) -> bytes:
    at = dice.randrange(len(raw))
    return raw[:at] + dice.choice((b"\xff\xfe", b"\x00", b"}}", b"NaN", b"\\ud800", b"\xf0\x9f", b"//x\n")) + raw[at:]


def _again(raw: bytes, dice: Dice) -> bytes:
    return raw + dice.choice((b"", b"\n", b",")) + raw


def _else(raw: bytes, dice: Dice) -> bytes:
    return dice.choice(
        (b"", b"null", b"[]", b'"Hello."', b"7", b"{", b"<xml/>", b"a=1&b=2", b"\xef\xbb\xbf" + raw, b"[" * 50_000)
    )


DAMAGES: Sequence[tuple[str, Callable[[bytes, Dice], bytes]]] = (
    ("cut off", _cut),
    ("a bit flipped", _flipped),
    ("littered", _littered),
    ("twice", _again),
    ("something else", _else),
)
