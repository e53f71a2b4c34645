"""Trains `litellm_memory/meaning/over.npz`: what is over among all that a person says.

The net of pairs, from `scripts/train_judges`, has read statements two at a time. On an ordinary day few texts state
anything, and hundreds of known ones stand beside each: this net reads how like an update a pair is, how much either
text is worth remembering by the net of `scripts/train_facts`, and how near they are. It learns from
`scripts/judges/days/`, where `ends` names the messages whose fact holds no more. Run it after those two:

    scripts/train_over

It prints what nets reach on people whom they do not know, writes the file, and takes a minute of a core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from train_judges import DATA, Floats, Trained, across_folds, fold_of

from litellm_memory.extract.pairs import among_others
from litellm_memory.extract.pastes import own_prose
from litellm_memory.meaning.nets import OVER

HIDDEN, SEEDS, ENDS_COUNT = 8, 3, 8
"""Units of the nets, how many there are, and how often an update counts: they are few, and a net that finds none would
be right nearly always."""
LEVELS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Pair:
    """A known text and a new one as the net reads them, and whether the person said that the known one is over."""

    row: Floats
    over: bool
    person: str


def pairs() -> list[Pair]:
    """Every pair of a person's messages, and of the facts in them, that could be an update, as they came."""
    return [pair for path in sorted((DATA / "days").glob("*.jsonl")) for pair in _of_person(path)]


def _of_person(path: Path) -> list[Pair]:
    found, known = list[Pair](), list[tuple[str, int]]()
    for message in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        texts = [*dict.fromkeys([own_prose(message["text"]), *message["facts"]])]
        for text in texts if known else ():
            near, rows = among_others(text, [said for said, _ in known])
            found += [Pair(rows[row], known[one][1] in message["ends"], path.stem) for row, one in enumerate(near)]
        known += [(text, message["n"]) for text in texts]
    return found


def tell(found: Floats, over: NDArray[np.bool_]) -> None:
    """Prints how many are found, and how many wrongly, at several probabilities."""
    for least in LEVELS:
        taken = found >= least
        print(f"at {least}: {(taken & over).sum()} of {over.sum()}, and {(taken & ~over).sum()} that are not over")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    made: Sequence[Pair] = pairs()
    over = np.array([pair.over for pair in made])
    often = np.repeat(np.arange(len(made)), np.where(over, ENDS_COUNT, 1))
    rows = np.stack([made[place].row for place in often])
    wanted = over[often][:, None].astype(np.float32)
    folds = np.array([fold_of(made[place].person) for place in often])
    found = across_folds(rows, wanted, folds, hidden=HIDDEN)
    tell(found[np.unique(often, return_index=True)[1], 0], over)
    parts = Trained.on(rows, wanted, hidden=HIDDEN, seeds=SEEDS).named("over")
    halves: dict[str, Any] = {name: part.astype(np.float16) for name, part in parts.items()}
    np.savez_compressed(OVER, **halves)
    print(f"{OVER.stat().st_size} bytes")


if __name__ == "__main__":
    main()
