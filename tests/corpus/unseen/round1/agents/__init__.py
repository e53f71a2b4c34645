"""Two sessions of agents as they come over the wire, made of the pieces beside this; the same with every call."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from corpus.unseen.round1.agents import pieces_claude, pieces_codex
from corpus.unseen.session import Session

HEX, LETTERS = "0123456789abcdef", "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_PIECES = {"claude_code": (pieces_claude, 11), "codex": (pieces_codex, 12)}


@dataclass
class Book:
    """What the pieces note while a session is made: the person's words, those of machines, and ids by chance."""

    rnd: random.Random
    planted: list[dict[str, str]] = field(default_factory=list)
    where: dict[str, str] = field(default_factory=dict)
    place: str = "system"

    def P(self, text: str, fact: str, where: str = "typed") -> str:
        self.planted.append({"text": text, "fact": fact, "where": where})
        return text

    def M(self, text: str) -> str:
        assert text not in self.where, text
        self.where[text] = self.place
        return text

    def hex(self, count: int) -> str:
        return "".join(self.rnd.choice(HEX) for _ in range(count))

    def uuid(self) -> str:
        digits = self.hex(32)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def id(self, prefix: str, count: int = 24) -> str:
        return prefix + "".join(self.rnd.choice(LETTERS) for _ in range(count))


def session(name: str) -> Session:
    """The session ``claude_code`` or ``codex``."""
    pieces, seed = _PIECES[name]
    book = Book(random.Random(seed))
    return Session(pieces.build(book), book.planted, book.where)
