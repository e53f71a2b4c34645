"""Trains `litellm_memory/meaning/questions.npz`: which memory a message needs, in any language that the encoder reads.

`scripts/judges/questions/` holds blocks in 16 languages: `m` is a memory, `q` a message that needs it, `n` one on a
near subject that does not, `x` one about something else. Messages of other blocks of a language need none of it either:

    scripts/train_questions

It prints what nets reach on memories that they have not seen, writes the file, and takes a minute of a core.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from train_attacks import vectors_of
from train_judges import FOLDS, Floats, Trained, across_folds, lines_of

from litellm_memory.meaning import Space
from litellm_memory.meaning.answering import QUESTIONS, inputs
from litellm_memory.text.chinese import simplified

COMPONENTS, HIDDEN, SEEDS, DROPPED = 64, 32, 3, 0.3
"""Of the space and the nets. With 96 or 128 components and more units, folds reach the same."""
OTHERS = 6
"""Messages of other blocks that a memory is paired with: with 20, a fifth fewer of the needed memories are found."""
LEVELS = (0.3, 0.4, 0.45, 0.5, 0.6)


@dataclass
class Block:
    """A memory, and messages by whether they need it."""

    language: str
    said: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in "mqnx"})

    @property
    def memory(self) -> str:
        return self.said["m"][0]


@dataclass(frozen=True)
class Asked:
    """A memory and a message, and the fold of its block."""

    memory: str
    message: str
    kind: str
    fold: int


def blocks() -> list[Block]:
    found: list[Block] = []
    for line in lines_of("questions"):
        if line.startswith("=="):
            found.append(Block(line.split()[1]))
        else:
            found[-1].said[line[0]].append(line[2:])
    return found


def pairs(made: Sequence[Block]) -> Iterator[Asked]:
    chosen = random.Random(7)
    by_language: dict[str, list[Block]] = {}
    for block in made:
        by_language.setdefault(block.language, []).append(block)
    for number, block in enumerate(made):
        fold = number % FOLDS
        for kind in "qnx":
            yield from (Asked(block.memory, message, kind, fold) for message in block.said[kind])
        others = [other for other in by_language[block.language] if other is not block]
        for other in chosen.choices(others, k=OTHERS):
            message = chosen.choice(other.said[chosen.choice("qqnx")])
            yield Asked(block.memory, message, "another's", fold)


def tell(found: Floats, asked: Sequence[Asked]) -> None:
    """Prints which share of each kind is judged to need the memory, at several probabilities."""
    kinds = np.array([one.kind for one in asked])
    for least in LEVELS:
        shares = (f"{kind} {np.mean(found[kinds == kind] >= least):.3f}" for kind in dict.fromkeys(kinds.tolist()))
        print(f"needed at {least}: {', '.join(shares)}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    asked = [*pairs(blocks())]
    texts = sorted({simplified(text) for one in asked for text in (one.memory, one.message)})
    rows_of = {text: row for row, text in enumerate(texts)}
    read = vectors_of(texts)

    def rows(chosen: Sequence[str]) -> NDArray[np.intp]:
        return np.array([rows_of[simplified(text)] for text in chosen])

    mean = read.mean(axis=0)
    space = Space(mean, np.linalg.svd(read - mean, full_matrices=False)[2][:COMPONENTS])
    places = space.of(read)
    memories, messages = rows([one.memory for one in asked]), rows([one.message for one in asked])
    given = inputs(places[memories], places[messages])
    wanted = np.array([[one.kind == "q"] for one in asked], np.float32)
    folds = np.array([one.fold for one in asked])
    tell(across_folds(given, wanted, folds, hidden=HIDDEN, dropped=DROPPED)[:, 0], asked)
    net = Trained.on(given, wanted, hidden=HIDDEN, seeds=SEEDS, dropped=DROPPED)
    parts: dict[str, Any] = {"mean": mean, "axes": space.axes} | net.named("questions")
    np.savez_compressed(QUESTIONS, **{name: part.astype(np.float16) for name, part in parts.items()})
    print(f"{QUESTIONS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
