"""Trains `litellm_memory/meaning/kinds.npz`: of what kind a statement is, and whether it is about the person.

`scripts/judges/kinds.txt` holds written statements in five languages, `kinds_read.txt` those of the other judges whose
kind patterns once told, before the net made these needless: `i` an instruction, `p` a preference, `d` a decision, `f` a
fact about the person, `w` one about their work or things, which belongs to a project:

    scripts/train_kinds

It prints what nets reach on statements that they have not seen, writes the file, and takes a minute of a core.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from train_attacks import vectors_of
from train_judges import DATA, Floats, Trained, across_folds, fold_of

from litellm_memory.meaning.nets import KINDS
from litellm_memory.text.chinese import simplified

HIDDEN, SEEDS, LEAST_DEVIATION, DROPPED = 64, 3, 0.01, 0.5
COUNTS = {"kinds": 6, "kinds_read": 1}
"""How often a statement of each file counts."""
CLASSES = {"i": (1, 0, 0, 0), "p": (0, 1, 0, 1), "d": (0, 0, 1, 0), "f": (0, 0, 0, 1), "w": (0, 0, 0, 0)}
"""Instruction, preference, decision; and about the person."""


def lines() -> list[tuple[str, str]]:
    """The class and the text of each statement, as often as it counts."""
    read = [(name, line) for name in COUNTS for line in (DATA / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
    return [(line[0], simplified(line[2:])) for name, line in read for _ in range(COUNTS[name])]


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    said = lines()
    rows: Floats = vectors_of([text for _, text in said])
    wanted = np.array([CLASSES[one] for one, _ in said], np.float32)
    folds = np.array([fold_of(text) for _, text in said])
    tell(across_folds(rows, wanted, folds, hidden=HIDDEN, least=LEAST_DEVIATION, dropped=DROPPED), wanted)
    parts = Trained.on(rows, wanted, hidden=HIDDEN, seeds=SEEDS, least=LEAST_DEVIATION, dropped=DROPPED)
    halves: dict[str, Any] = {name: part.astype(np.float16) for name, part in parts.named("kinds").items()}
    np.savez_compressed(KINDS, **halves)
    print(f"{KINDS.stat().st_size} bytes")


def tell(found: Floats, wanted: Floats) -> None:
    """Prints the precision and recall of each class."""
    for number, name in enumerate(("instruction", "preference", "decision", "about the person")):
        for least in (0.5, 0.6, 0.7):
            taken, right = found[:, number] >= least, wanted[:, number] > 0
            both = (taken & right).sum()
            print(f"{name} at {least}: {both / max(1, taken.sum()):.3f} / {both / right.sum():.3f}")


if __name__ == "__main__":
    main()
