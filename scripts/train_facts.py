"""Trains `litellm_memory/meaning/facts.npz`: which clauses of a message are worth remembering for weeks.

`scripts/judges/facts/` holds messages in five languages, a clause on a line: `f` is worth remembering, `o` is not. The
memories (`m`) and messages of `train_questions` are further examples of both, and the statements of `train_judges`:

    scripts/train_facts

It prints what nets reach on messages that they have not seen, writes the file, and takes a minute of a core.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from train_attacks import vectors_of
from train_judges import DATA, Floats, Templates, Trained, across_folds, fold_of, lines_of

from litellm_memory.meaning.nets import FACTS
from litellm_memory.text.chinese import simplified

HIDDEN, SEEDS, LEAST_DEVIATION, DROPPED = 64, 3, 0.01, 0.5
CLAUSE_COUNTS = 3
"""How often a clause counts beside the messages of questions, which stand alone."""
KNOWN = 1000
"""Plain statements of `train_judges`, which are short."""
MESSAGES_TOGETHER = 4
"""Messages that were written one after another, on the same subject: they are in one fold."""
LEVELS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class Clause:
    text: str
    fact: bool
    fold: int
    """-1: all nets see it."""


def clauses() -> Iterator[Clause]:
    for path in sorted((DATA / "facts").glob("*.txt")):
        for number, message in enumerate(path.read_text(encoding="utf-8").split("\n\n")):
            fold = fold_of(f"{path.stem} {number // MESSAGES_TOGETHER}")
            for line in message.splitlines():
                yield Clause(line[2:], line[0] == "f", fold)


def alone() -> Iterator[Clause]:
    for line in lines_of("questions"):
        if not line.startswith("=="):
            yield Clause(line[2:], line[0] == "m", -1)
    known = sorted({pair.known for pair in Templates().pairs()})
    for text in random.Random(8).sample(known, KNOWN):
        yield Clause(text, True, -1)


def tell(found: Floats, right: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    """Prints the precision and the recall at several probabilities."""
    for least in LEVELS:
        kept = found >= least
        print(f"at {least}: precision {right[kept].mean():.3f}, recall {kept[right].mean():.3f}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    written = [*clauses()]
    every = [*written * CLAUSE_COUNTS, *alone()]
    texts = sorted({simplified(one.text) for one in every})
    read = dict(zip(texts, vectors_of(texts), strict=True))
    rows = np.stack([read[simplified(one.text)] for one in every])
    wanted = np.array([[one.fact] for one in every], np.float32)
    folds = np.array([one.fold for one in every])
    found = across_folds(rows, wanted, folds, hidden=HIDDEN, least=LEAST_DEVIATION, dropped=DROPPED)
    tell(found[: len(written), 0], wanted[: len(written), 0] > 0)
    net = Trained.on(rows, wanted, hidden=HIDDEN, seeds=SEEDS, least=LEAST_DEVIATION, dropped=DROPPED)
    parts: dict[str, Any] = {name: part.astype(np.float16) for name, part in net.named("facts").items()}
    np.savez_compressed(FACTS, **parts)
    print(f"{FACTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
