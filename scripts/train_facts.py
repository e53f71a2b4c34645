"""Trains `litellm_memory/meaning/facts.npz`: which clauses of a message are worth remembering for weeks.

`scripts/judges/facts/` holds messages in five languages, a clause on a line: `f` is worth remembering, `o` is not. The
memories (`m`) and messages of `train_questions` are further examples of both, and the statements of `train_judges`;
`scripts/judges/days/` holds what people typed on ordinary days, of which few clauses are worth it:

    scripts/train_facts

It prints what nets reach on messages that they have not seen, writes the file, and takes a minute of a core.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from train_attacks import vectors_of
from train_judges import DATA, Floats, Templates, Trained, fold_of, judged_across_folds, lines_of, named
from train_letters import letters_of

from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.stating import to_read
from litellm_memory.meaning.nets import FACTS
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import sentences
from litellm_memory.text.words import words

HIDDEN, SEEDS, LEAST_DEVIATION, DROPPED = 64, 3, 0.01, 0.5
CLAUSE_COUNTS = 3
"""How often a clause counts beside the messages of questions, which stand alone."""
DAYS_COUNT = 2
"""How often a clause of an ordinary day counts."""
MOSTLY = 0.6
"""The share of a clause's words that a fact of the day holds from which it tells that fact."""
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


def typed() -> Iterator[Clause]:
    """The clauses of ordinary days, of which few are worth remembering."""
    for path in sorted((DATA / "days").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            told = [frozenset(words(fact)) for fact in message["facts"]]
            for text in to_read(sentences(own_prose(message["text"]))):
                if said := words(text):
                    fact = any(sum(word in one for word in said) >= MOSTLY * len(said) for one in told)
                    yield Clause(text, fact, fold_of(path.stem))


def tell(found: Floats, right: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    """Prints the precision and the recall at several probabilities."""
    for least in LEVELS:
        kept = found >= least
        print(f"at {least}: precision {right[kept].mean():.3f}, recall {kept[right].mean():.3f}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    written, of_days = [*clauses()], [*typed()]
    every = [*written * CLAUSE_COUNTS, *of_days * DAYS_COUNT, *alone()]
    texts = sorted({simplified(one.text) for one in every})
    read = dict(zip(texts, vectors_of(texts), strict=True))
    told = [simplified(one.text) for one in every]
    rows = np.stack([read[text] for text in told])
    wanted = np.array([[one.fact] for one in every], np.float32)
    folds = np.array([one.fold for one in every])
    found = judged_across_folds(told, rows, wanted, folds, hidden=HIDDEN, least=LEAST_DEVIATION, dropped=DROPPED)
    tell(found[: len(written), 0], wanted[: len(written), 0] > 0)
    some = slice(len(written) * CLAUSE_COUNTS, len(written) * CLAUSE_COUNTS + len(of_days))
    print("of ordinary days:")
    tell(found[some, 0], wanted[some, 0] > 0)
    net = Trained.on(rows, wanted, hidden=HIDDEN, seeds=SEEDS, least=LEAST_DEVIATION, dropped=DROPPED)
    both = net.named("facts") | named(letters_of(told, wanted), "facts")
    parts: dict[str, Any] = {name: part.astype(np.float16) for name, part in both.items()}
    np.savez_compressed(FACTS, **parts)
    print(f"{FACTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
