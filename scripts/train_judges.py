"""Trains the nets of `litellm_memory/meaning/nets.npz`: what takes whose place, and what wishes something forgotten.

The pairs and the wishes are templates in five languages, in `scripts/judges/`: a subject is a heading with the names of
its slots, and "single" where it has one value at a time; `k` is what is known, `u` an update, `d` a denial, `l` a
look-alike. Name a clone of google-research-datasets/Synthetic-Persona-Chat (CC BY 4.0) for what one person says of
themselves that goes together:

    scripts/train_judges /clones/Synthetic-Persona-Chat

It prints what nets reach on subjects that they have not seen, writes the file, and takes four minutes of a core.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from train_letters import letters_of

from litellm_memory.extract.pairs import inputs
from litellm_memory.extract.pastes import own_prose
from litellm_memory.meaning import Space, log_odds, vectors
from litellm_memory.meaning.letters import Letters
from litellm_memory.meaning.nets import LEAST, MOST_CHARACTERS, PATH
from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import sentences

Floats = NDArray[np.float32]
Layers = tuple[Floats, ...]

DATA = Path(__file__).parent / "judges"
LANGUAGES = ("en", "de", "fr", "es", "zh")
COMPONENTS, HIDDEN, FOLDS, SEEDS = 64, 32, 5, 3
DRAWS, UNRELATED, TALKS, WISHES = 3, 14, 3, 8
"""How often a template is filled, how many pairs of two subjects each known statement is in, pairs of a person, and how
often a template of a wish is filled."""
LEAST_DEVIATION = 0.05
"""Of an input that is nearly always the same: what the nets have not seen must not outweigh all else."""
EPOCHS, RATE, BATCH, DROPPED, DECAY = 20, 2e-3, 128, 0.2, 0.1


@dataclass
class Subject:
    """The templates of one subject in one language."""

    language: str
    name: str
    single: bool
    slot: str | None
    said: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in "kudl"})


@dataclass(frozen=True)
class Pair:
    """A known statement, a new text, and whether this takes the place of that."""

    known: str
    new: str
    replaces: bool
    language: str
    subject: str
    kind: str


def subjects(language: str) -> list[Subject]:
    found: list[Subject] = []
    for line in (DATA / f"pairs_{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("=="):
            name, *more = line.split()[1:]
            slot = next((word.partition("=")[2] for word in more if "=" in word), None)
            found.append(Subject(language, name, "single" in more, slot))
        elif line:
            found[-1].said[line[0]].append(line[2:])
    return found


def slots() -> dict[str, list[str]]:
    rows = (line.split() for line in (DATA / "slots.txt").read_text(encoding="utf-8").splitlines())
    return {name: [value.replace("~", " ") for value in values] for name, *values in rows}


class Templates:
    """Fills templates, the same way each time."""

    def __init__(self) -> None:
        self._slots = slots()
        self._random = random.Random(0)

    def pairs(self) -> Iterator[Pair]:
        for language in LANGUAGES:
            of_language = subjects(language)
            for subject in of_language:
                for known in subject.said["k"]:
                    yield from self._within(subject, known)
                    yield from self._across(subject, known, of_language)

    def _within(self, subject: Subject, known: str) -> Iterator[Pair]:
        for kind in "udl":
            for new in subject.said[kind]:
                for _ in range(DRAWS if "{" in known + new else 1):
                    a, b = self._draw(subject)
                    yield self._pair(subject, kind, (known, a, b), (new, a, b), replaces=kind != "l")
                    if kind == "d" and "{A}" in new and "{A}" in known and self._random.random() < 0.7:
                        other = self._random.choice([one for one in self._pool(subject) if one != a])
                        yield self._pair(subject, "other value", (known, other, b), (new, a, b), replaces=False)
        for again in subject.said["k"] if "{A}" in known else ():
            if "{A}" in again and (not subject.single or again == known) and subject.name != "amount":
                a, b = self._draw(subject)
                kind = "said of another value"
                yield self._pair(subject, kind, (known, a, b), (again, b, a), replaces=subject.single)

    def _across(self, subject: Subject, known: str, others: Sequence[Subject]) -> Iterator[Pair]:
        for _ in range(UNRELATED):
            other = self._random.choice([one for one in others if one.name != subject.name])
            new = self._random.choice(other.said[self._random.choice("uuddlk")] or other.said["k"])
            filled = (known, *self._draw(subject)), (new, *self._draw(other))
            yield self._pair(subject, "another subject", *filled, replaces=False)

    def _pair(
        self, subject: Subject, kind: str, known: tuple[str, str, str], new: tuple[str, str, str], *, replaces: bool
    ) -> Pair:
        return Pair(_filled(*known), _filled(*new), replaces, subject.language, subject.name, kind)

    def _pool(self, subject: Subject) -> list[str]:
        name = subject.slot or ""
        return self._slots.get(f"{name}.{subject.language}") or self._slots[name]

    def _draw(self, subject: Subject) -> tuple[str, str]:
        a, b = self._random.sample(self._pool(subject), 2) if subject.slot else ("", "")
        return a, b


def _filled(text: str, a: str, b: str) -> str:
    return text.replace("{A}", a).replace("{B}", b)


def personas(clone: Path) -> list[Pair]:
    """What one person says of themselves, and says in talk: nothing of it takes the place of anything."""
    git = clone if (clone / "HEAD").exists() else clone / ".git"
    show = ["git", "--git-dir", str(git), "show", "HEAD:data/Synthetic-Persona-Chat_valid.csv"]
    text = subprocess.run(show, capture_output=True, check=True, text=True).stdout
    chosen, found = random.Random(1), list[Pair]()
    for row in csv.DictReader(io.StringIO(text)):
        of = [line.strip() for line in row["user 1 personas"].splitlines() if line.strip()]
        lines = row["Best Generated Conversation"].splitlines()
        talk = [line.partition(":")[2].strip() for line in lines if line.startswith("User 1:")]
        for _ in range(TALKS if len(of) > 1 and talk else 0):
            one, other = chosen.sample(of, 2)
            found.append(Pair(one, other, False, "en", "persona", "same person"))
            found.append(Pair(chosen.choice(of), chosen.choice(talk), False, "en", "persona", "in talk"))
    return found


@dataclass(frozen=True)
class Wish:
    text: str
    language: str
    kind: str
    template: str


def wishes(*, more: bool = True) -> list[Wish]:
    """The filled templates of wishes about memory, `f` to forget and `p` to pause, and of what is none, `n`.

    `O` are objects of wishes; `{K}` is a statement of the pairs. ``more``: also the messages that only the net of
    wishes learns from, because the net of pairs found fewer updates with them.
    """
    chosen, read = random.Random(2), dict[str, list[tuple[str, str]]]()
    files = ("wishes.txt", "wishes_more.txt") if more else ("wishes.txt",)
    for line in (line for name in files for line in (DATA / name).read_text(encoding="utf-8").splitlines()):
        if line.startswith("=="):
            rows = read.setdefault(line.split()[1], [])
        elif line:
            rows.append((line[0], line[2:]))
    return [wish for language, rows in read.items() for wish in _wishes_of(language, rows, chosen)]


def _wishes_of(language: str, rows: Sequence[tuple[str, str]], chosen: random.Random) -> Iterator[Wish]:
    objects = [text for kind, text in rows if kind == "O"]
    known = [text for subject in subjects(language) for text in subject.said["k"] if "{" not in text or subject.slot]
    values = slots()
    for kind, text in rows:
        # One that is filled with nothing counts as much as one that is filled often.
        for _ in range(WISHES if kind != "O" else 0):
            about, statement = chosen.choice(objects), chosen.choice(known)
            a, b = (chosen.choice(values[name]) for name in ("city", "person"))
            yield Wish(text.replace("{O}", about).replace("{K}", _filled(statement, a, b)), language, kind, text)


def lines_of(folder: str) -> Iterator[str]:
    """The lines of the texts of `train_questions` or `train_facts`, language by language, without empty ones."""
    for path in sorted((DATA / folder).glob("*.txt")):
        yield from filter(None, path.read_text(encoding="utf-8").splitlines())


def everyday() -> list[str]:
    """What people tell an assistant and ask of it: the texts of `train_questions`, and the facts of `train_facts`, also
    with the request that they were told beside."""
    asked = [line[2:] for line in lines_of("questions") if not line.startswith("==")]
    told = [line[2:] for line in lines_of("facts") if line.startswith("f ")]
    # Three times, because they are few beside the others, and longest the words of people at work.
    return asked + (told + [text for name in ("passing", "none") for text in messages_of(name)]) * 3


def messages_of(name: str) -> Iterator[str]:
    """The messages of those files of `train_facts` whose names begin so, whole."""
    for path in sorted((DATA / "facts").glob(f"{name}_*.txt")):
        between = "" if path.stem.partition("_")[2].startswith("zh") else " "
        for message in path.read_text(encoding="utf-8").split("\n\n"):
            if message.strip():
                yield between.join(line[2:] for line in message.splitlines())


@dataclass(frozen=True)
class Typed:
    """A message of an ordinary day, or a sentence of one, and who typed it in which message."""

    text: str
    person: str
    message: int


def days() -> list[Typed]:
    """The messages of the ordinary days in `scripts/judges/days`, and their sentences: nobody wishes anything of memory
    in them, or would steer a model."""
    return [
        Typed(text[:MOST_CHARACTERS], path.stem, number)
        for path in sorted((DATA / "days").glob("*.jsonl"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())
        if (prose := own_prose(json.loads(line)["text"])).strip()
        for text in dict.fromkeys([prose, *sentences(prose)])
    ]


def tell_days(found: Floats, typed: Sequence[Typed]) -> None:
    """Prints how many messages of people whom the nets did not know are taken for what they are not."""
    surest: dict[tuple[str, int], float] = {}
    for likely, one in zip(found.tolist(), typed, strict=True):
        surest[one.person, one.message] = max(likely, surest.get((one.person, one.message), 0.0))
    shares = (f"{least}: {sum(one >= least for one in surest.values())}" for least in (0.2, 0.3, 0.4, 0.5, 0.7, 0.85))
    print(f"of {len(surest)} messages of ordinary days taken for one at {', '.join(shares)}")


def not_of_pairs(wished: Sequence[Wish], made: Sequence[Pair]) -> list[Pair]:
    """Wishes and what is like them take no statement's place: that is for those who carry wishes out."""
    chosen = random.Random(3)
    by_language = {language: [p.known for p in made if p.language == language] for language in LANGUAGES}
    found = [
        Pair(chosen.choice(by_language[w.language]), w.text, False, w.language, "persona", "a wish") for w in wished
    ]
    stated = {w.text for w in wished if w.template == "{K}"}
    return found + [
        Pair(known, wish.text, False, wish.language, "persona", "a wish about it")
        for wish in wished
        for known in stated
        if wish.template != "{K}" and known in wish.text
    ]


def trained(rows: Floats, wanted: Floats, *, hidden: int, seed: int, dropped: float = DROPPED) -> Layers:
    """The layers of a net with ``hidden`` units, or with none, by Adam with dropped inputs and decaying weights."""
    chosen = np.random.default_rng(seed)
    width, classes = rows.shape[1], wanted.shape[1]
    sizes = [(width, hidden), (hidden, classes)] if hidden else [(width, classes)]
    layers = [part for size in sizes for part in _begun(size, chosen)]
    moments, squares, step = [np.zeros_like(p) for p in layers], [np.zeros_like(p) for p in layers], 0
    for epoch in range(EPOCHS):
        order = chosen.permutation(len(rows))
        for begin in range(0, len(order), BATCH):
            some, step = order[begin : begin + BATCH], step + 1
            kept = (chosen.random((len(some), width)) > dropped) / (1 - dropped)
            slopes = _slopes(layers, (rows[some] * kept).astype(np.float32), wanted[some])
            for part, slope in enumerate(slopes):
                moments[part] = 0.9 * moments[part] + 0.1 * slope
                squares[part] = 0.999 * squares[part] + 0.001 * slope**2
                way = moments[part] / (1 - 0.9**step) / (np.sqrt(squares[part] / (1 - 0.999**step)) + 1e-8)
                layers[part] = layers[part] - RATE * (1 - epoch / EPOCHS) * (
                    way + DECAY * layers[part] * (part % 2 == 0)
                )
    return tuple(np.asarray(part, np.float32) for part in layers)


def _begun(size: tuple[int, int], chosen: np.random.Generator) -> list[Floats]:
    weights = chosen.standard_normal(size) / np.sqrt(size[0])
    return [weights.astype(np.float32), np.zeros(size[1], np.float32)]


def _slopes(layers: Sequence[Floats], rows: Floats, wanted: Floats) -> list[Floats]:
    units = np.maximum(rows @ layers[0] + layers[1], 0) if len(layers) > 2 else rows
    out = 1 / (1 + np.exp(-(units @ layers[-2] + layers[-1])))
    wrong = (out - wanted) / len(rows)
    last = [units.T @ wrong, wrong.sum(axis=0)]
    if len(layers) == 2:
        return last
    back = (wrong @ layers[2].T) * (units > 0)
    return [rows.T @ back, back.sum(axis=0), *last]


@dataclass
class Trained:
    """Nets that differ in their seed, and the scale of their inputs."""

    mean: Floats
    deviation: Floats
    nets: list[Layers]

    @classmethod
    def on(
        cls,
        rows: Floats,
        wanted: Floats,
        *,
        hidden: int,
        seeds: int = SEEDS,
        least: float = LEAST_DEVIATION,
        dropped: float = DROPPED,
    ) -> Trained:
        mean, deviation = rows.mean(axis=0), np.maximum(rows.std(axis=0), least)
        scaled = ((rows - mean) / deviation).astype(np.float32)
        nets = [trained(scaled, wanted, hidden=hidden, seed=seed, dropped=dropped) for seed in range(seeds)]
        return cls(mean, deviation, nets)

    def probabilities(self, rows: Floats) -> Floats:
        from litellm_memory.meaning import Net

        return Net((self.mean, self.deviation), tuple(self.nets)).probabilities(rows)

    def named(self, name: str) -> dict[str, Floats]:
        parts = {f"{name}.{n}.{p}": part for n, net in enumerate(self.nets) for p, part in enumerate(net)}
        return {f"{name}.mean": self.mean, f"{name}.deviation": self.deviation} | parts


def fold_of(name: str) -> int:
    return zlib.crc32(name.encode()) % FOLDS


def across_folds(
    rows: Floats,
    wanted: Floats,
    folds: NDArray[np.int64],
    *,
    hidden: int,
    least: float = LEAST_DEVIATION,
    dropped: float = DROPPED,
) -> Floats:
    """The probabilities of each row by nets that saw no row of its fold; rows of fold -1 are seen by all."""
    found = np.zeros_like(wanted)
    for fold in range(FOLDS):
        unseen = folds == fold
        seen = Trained.on(rows[~unseen], wanted[~unseen], hidden=hidden, seeds=1, least=least, dropped=dropped)
        found[unseen] = seen.probabilities(rows[unseen])
    return found


def judged_across_folds(
    texts: Sequence[str],
    rows: Floats,
    wanted: Floats,
    folds: NDArray[np.int64],
    *,
    hidden: int,
    least: float,
    dropped: float = DROPPED,
) -> Floats:
    """As ``across_folds``, beside the letters of the texts."""
    found = across_folds(rows, wanted, folds, hidden=hidden, least=least, dropped=dropped)
    for fold in range(FOLDS):
        unseen = folds == fold
        letters = letters_of([texts[place] for place in np.flatnonzero(~unseen)], wanted[~unseen])
        odds = letters.logits([texts[place] for place in np.flatnonzero(unseen)])
        found[unseen] = 1 / (1 + np.exp(-(log_odds(found[unseen], least=LEAST) + odds) / 2))
    return found


def named(letters: Letters, name: str) -> dict[str, Floats]:
    return {f"{name}.letters": letters.weights, f"{name}.letters.bias": letters.bias}


def report(name: str, found: Floats, right: NDArray[np.bool_], languages: Sequence[str]) -> None:
    """Prints which share of those to be found is found, and of the others is not, at several probabilities."""
    tongues = np.array(languages)
    for least in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        cells = [f"{name} at {least}: {_shares(found, right, least)}"]
        for language in LANGUAGES:
            some = tongues == language
            cells.append(f"{language} {_shares(found[some], right[some], least)}")
        print("; ".join(cells))


def _shares(found: Floats, right: NDArray[np.bool_], least: float) -> str:
    return f"{np.mean(found[right] >= least):.3f} / {np.mean(found[~right] < least):.3f}"


def judged_pairs(
    place: Space, read: dict[str, Floats], made: Sequence[Pair], talk: Sequence[Pair]
) -> dict[str, Floats]:
    every = [*made, *talk]
    known, new = (place.of(np.stack([read[simplified(text)] for text in some])) for some in
                  ([pair.known for pair in every], [pair.new for pair in every]))  # fmt: skip
    rows = inputs([(pair.known, pair.new) for pair in every], known, new)
    wanted = np.array([[pair.replaces] for pair in every], np.float32)
    folds = np.array([-1 if pair.subject == "persona" else fold_of(pair.subject) for pair in every])
    found = across_folds(rows, wanted, folds, hidden=HIDDEN)[: len(made), 0]
    report("pairs", found, wanted[: len(made), 0] > 0, [pair.language for pair in made])
    for kind in dict.fromkeys(pair.kind for pair in made):
        some = np.array([pair.kind == kind for pair in made])
        print(f"  {kind}: {np.mean(found[some] >= 0.9):.3f} of {some.sum()} at 0.9")
    return Trained.on(rows, wanted, hidden=HIDDEN).named("pairs")


def judged_wishes(read: dict[str, Floats], made: Sequence[Wish], talk: Sequence[str]) -> dict[str, Floats]:
    typed = days()
    texts = [simplified(text) for text in (*(wish.text for wish in made), *talk, *(one.text for one in typed))]
    rows = np.stack([read[text] for text in texts])
    wanted = np.zeros((len(texts), 2), np.float32)
    wanted[: len(made)] = [[wish.kind == "f", wish.kind == "p"] for wish in made]
    people = (fold_of(one.person) for one in typed)
    folds = np.array([*(fold_of(wish.template) for wish in made), *([-1] * len(talk)), *people])
    found = judged_across_folds(texts, rows, wanted, folds, hidden=HIDDEN, least=0.01)
    report("wishes", found[: len(made)].max(axis=1), wanted[: len(made)].max(axis=1) > 0, [w.language for w in made])
    tell_days(found.max(axis=1)[len(made) + len(talk) :], typed)
    trained = Trained.on(rows, wanted, hidden=HIDDEN, seeds=2, least=0.01)
    return trained.named("wishes") | named(letters_of(texts, wanted), "wishes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("personas", type=Path, help="a clone of google-research-datasets/Synthetic-Persona-Chat")
    parser.add_argument("--only", choices=("pairs", "wishes"), help="train this alone, and leave the rest as it is")
    asked = parser.parse_args()
    made, wished = [*Templates().pairs()], wishes()
    talk = personas(asked.personas) + not_of_pairs(wishes(more=False), made)
    texts = {simplified(text) for pair in [*made, *talk] for text in (pair.known, pair.new)}
    ordinary = everyday()
    typed = (one.text for one in days())
    texts = sorted(texts | {simplified(text) for text in [*ordinary, *typed, *(wish.text for wish in wished)]})
    read = dict(zip(texts, vectors(texts), strict=True))
    whole = np.stack([*read.values()])
    mean = whole.mean(axis=0)
    place = Space(mean, np.linalg.svd(whole - mean, full_matrices=False)[2][:COMPONENTS])
    ordinary += sorted({pair.new for pair in [*talk[:6000:3], *made[::5]]} | {pair.known for pair in made[::9]})
    with np.load(PATH, allow_pickle=False) as kept:
        data = {name: kept[name] for name in kept.files}
    if asked.only != "wishes":
        data |= {"mean": mean, "axes": place.axes} | judged_pairs(place, read, made, talk)
    if asked.only != "pairs":
        data |= judged_wishes(read, wished, ordinary)
    np.savez_compressed(PATH, **{name: part.astype(np.float16) for name, part in data.items()})
    print(f"{PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
