"""Trains `litellm_memory/meaning/attacks.npz`: what tells a text that would steer a model, whatever its form.

`scripts/judges/attacks.txt` holds, in five languages, deeds of attacks (`c`) and of ordinary wishes (`b`), which go
into the same frames (`F`), so that the deed decides and not the form; and whole sentences of both (`a` and `n`). Slots
in braces are those of `slots.txt`. What is ordinary besides: the statements and wishes of the other judges, and, of
the clones that are named, google-research-datasets/Synthetic-Persona-Chat (CC BY 4.0) and clinc/oos-eval (CC BY 3.0):

    scripts/train_attacks /clones/Synthetic-Persona-Chat /clones/oos-eval

It prints what nets reach on deeds that they have not seen, writes the file, and takes half a minute of a core.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from train_judges import (
    DATA,
    Floats,
    Templates,
    Trained,
    across_folds,
    everyday,
    fold_of,
    personas,
    report,
    slots,
    wishes,
)

from litellm_memory.meaning import vectors
from litellm_memory.meaning.nets import ATTACKS
from litellm_memory.text.chinese import simplified

FRAMES, FILLS, WHOLE, UTTERANCES = 4, 3, 4, 3000
"""How many frames a deed goes into, how often a sentence with slots is filled, how often a sentence counts that stands
for itself, and what is taken of oos-eval."""
HIDDEN, SEEDS, LEAST_DEVIATION, DROPPED = 64, 3, 0.01, 0.5
"""Of the nets. Most of the inputs are dropped each time: a few hundred deeds are soon known by heart."""
_SLOT = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Said:
    text: str
    attack: bool
    language: str
    template: str


def attacks() -> Iterator[Said]:
    """The filled templates of attacks and of what is like them and is none."""
    language, rows = "", list[tuple[str, str]]()
    chosen = random.Random(5)
    for line in [*(DATA / "attacks.txt").read_text(encoding="utf-8").splitlines(), "== end"]:
        if line.startswith("=="):
            yield from _of_language(language, rows, chosen)
            language, rows = line.split()[1], []
        elif line:
            rows.append((line[0], line[2:]))


def _of_language(language: str, rows: Sequence[tuple[str, str]], chosen: random.Random) -> Iterator[Said]:
    frames = [text for kind, text in rows if kind == "F"]
    values = slots()

    def filled(text: str) -> str:
        return _SLOT.sub(lambda slot: chosen.choice(values.get(f"{slot[1]}.{language}") or values[slot[1]]), text)

    for kind, text in rows:
        if kind in "cb":
            for frame in chosen.sample(frames, FRAMES):
                whole = filled(frame.replace("{C}", text))
                yield Said(whole[0].upper() + whole[1:], kind == "c", language, text)
        elif kind in "an":
            for _ in range(FILLS if "{" in text else 1):
                yield Said(filled(text), kind == "a", language, text)


def counts(said: Said) -> int:
    """How often it counts: a deed has several frames, and a sentence with slots is filled several times."""
    return WHOLE if said.text == said.template else 1


def utterances(clone: Path) -> list[str]:
    """What people say to an assistant, of oos-eval."""
    git = clone if (clone / "HEAD").exists() else clone / ".git"
    show = ["git", "--git-dir", str(git), "show", "HEAD:data/data_small.json"]
    read = json.loads(subprocess.run(show, capture_output=True, check=True, text=True).stdout)
    said = sorted({text for part in ("train", "oos_train") for text, _ in read[part]})
    return random.Random(6).sample(said, min(UTTERANCES, len(said)))


def ordinary(clones: Sequence[Path]) -> list[str]:
    """Texts that are no attacks, from elsewhere."""
    talk = {pair.new for pair in personas(clones[0])[:8000:2]}
    stated = {text for pair in [*Templates().pairs()][::4] for text in (pair.known, pair.new)}
    wished = {wish.text for wish in wishes()}
    others = {simplified(text) for text in (*talk, *stated, *wished, *utterances(clones[1]))}
    return [*sorted(others), *map(simplified, everyday())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("personas", type=Path, help="a clone of google-research-datasets/Synthetic-Persona-Chat")
    parser.add_argument("utterances", type=Path, help="a clone of clinc/oos-eval")
    asked = parser.parse_args()
    made = [said for said in {said.text: said for said in attacks()}.values() for _ in range(counts(said))]
    others = ordinary([asked.personas, asked.utterances])
    rows = vectors_of([*(simplified(said.text) for said in made), *others])
    wanted = np.array([[said.attack] for said in made] + [[False]] * len(others), np.float32)
    folds = np.array([*(fold_of(said.template) for said in made), *(fold_of(text) for text in others)])
    found = across_folds(rows, wanted, folds, hidden=HIDDEN, least=LEAST_DEVIATION, dropped=DROPPED)[:, 0]
    tell(found, made, others)
    parts = Trained.on(rows, wanted, hidden=HIDDEN, seeds=SEEDS, least=LEAST_DEVIATION, dropped=DROPPED)
    halves: dict[str, Any] = {name: part.astype(np.float16) for name, part in parts.named("attacks").items()}
    np.savez_compressed(ATTACKS, **halves)
    print(f"{ATTACKS.stat().st_size} bytes")


def vectors_of(texts: Sequence[str]) -> Floats:
    """In batches, so that texts of a like length are read together."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    read = np.empty((len(texts), 512), np.float32)
    for begin in range(0, len(order), 256):
        some = order[begin : begin + 256]
        read[some] = vectors([texts[place] for place in some])
    return read


def tell(found: NDArray[np.float32], made: Sequence[Said], others: Sequence[str]) -> None:
    """Prints what is found of unseen deeds, and what is held of the rest."""
    report("attacks", found[: len(made)], np.array([said.attack for said in made]), [said.language for said in made])
    for least in (0.3, 0.5, 0.7, 0.8, 0.9):
        none = np.append(found[: len(made)][[not said.attack for said in made]], found[len(made) :])
        print(f"held of {len(none)} that are none at {least}: {np.mean(none >= least):.4f}")
        print(f"held of {len(others)} ordinary ones at {least}: {np.mean(found[len(made) :] >= least):.4f}")


if __name__ == "__main__":
    main()
