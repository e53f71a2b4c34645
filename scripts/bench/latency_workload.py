"""What people say: memories to fill a store with, and conversations that ask about them. Made up and repeatable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from latency_provider import ANSWER

USERS: Final = tuple(f"person-{number}" for number in range(10))
TURNS: Final = 4
"""Requests of a conversation. Each carries the turns before it; in the second the person states what is learned."""

_SYSTEM: Final = "You are a helpful assistant for a team of engineers. Answer briefly, and say so when you do not know."
_SERVICES: Final = "billing search login export invoice report catalogue mail payment shipping audit booking".split()
_DATABASES: Final = "PostgreSQL MariaDB SQLite MongoDB Cassandra DynamoDB CockroachDB ClickHouse".split()
_PLACES: Final = "Lisbon Oslo Vienna Kyoto Toronto Nairobi Lima Dublin Prague Seoul Tallinn Porto".split()
_NAMES: Final = "Amara Bjarne Chiyo Dmitri Elif Farid Greta Hiro Ines Jonas Kofi Leila".split()
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday".split()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: who sends it, and the body's bytes."""

    user: str
    body: bytes


def memory_texts(count: int) -> list[str]:
    """``count`` different texts of some twenty tokens."""
    return [statement(number) for number in range(count)]


def statement(number: int) -> str:
    """What a person states; no two numbers are the same statement."""
    return _statement(Random(number), number)


def conversation(number: int, *, stream: bool = False, users: Sequence[str] = USERS) -> list[Ask]:
    """The requests of one conversation in order. No two numbers share a message of a person."""
    messages = [{"role": "system", "content": _SYSTEM}]
    asks: list[Ask] = []
    for turn in range(TURNS):
        words = Random(number * TURNS + turn)
        said = _statement(words, 1_000_000 + number) if turn == 1 else _question(words, number)
        messages.append({"role": "user", "content": said})
        asks.append(ask(users[number % len(users)], messages, stream=stream))
        messages.append({"role": "assistant", "content": ANSWER})
    return asks


def ask(user: str, messages: Sequence[Mapping[str, str]], *, stream: bool = False) -> Ask:
    """The request of ``user`` with these messages."""
    return Ask(user, json.dumps({"model": "gpt", "messages": list(messages), "stream": stream}).encode())


def _statement(words: Random, number: int) -> str:
    service, database, place = words.choice(_SERVICES), words.choice(_DATABASES), words.choice(_PLACES)
    return f"Our {service} service {number} runs on {database} in {place}, and {words.choice(_NAMES)} looks after it."


def _question(words: Random, number: int) -> str:
    service, place, day = words.choice(_SERVICES), words.choice(_PLACES), words.choice(_DAYS)
    name = words.choice(_NAMES)
    return f"For ticket {number}: who looks after the {service} service in {place}, and is {name} free on {day}?"
