"""The texts that the table of question vectors is trained on: public corpora whose licences allow that.

Each is a commit in a clone of its repository on GitHub, with or without a work tree. Their attributions are in
`litellm_memory/model/NOTICE`, which names their licences too. The largest files of a repository are left out.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

SHORTEST, LONGEST = 2, 45
"""Words of a text; longer ones are cut into sentences."""
SPACES, SENTENCE_ENDS = re.compile(r"\s+"), re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files of a repository, and how to read texts from one of them."""

    repository: str
    commit: str
    """The one that is read, of whichever the clone has."""
    licence: str
    files: str
    """A pattern of the files' paths; none: the messages of its commits."""
    read: Callable[[str], Iterator[str]]
    at_most: int
    """Texts to take, so that no kind of talk outweighs the others."""


def columns(delimiter: str, wanted: str) -> Callable[[str], Iterator[str]]:
    """The cells of the columns whose names match; a cell of several lines is several texts."""

    def read(content: str) -> Iterator[str]:
        for row in csv.DictReader(io.StringIO(content), delimiter=delimiter):
            for name, cell in row.items():
                if isinstance(name, str) and isinstance(cell, str) and re.fullmatch(wanted, name):
                    yield from (re.sub(r"^User \d: ", "", line) for line in cell.splitlines())

    return read


def values(wanted: str, load: Callable[[str], object] = json.loads) -> Callable[[str], Iterator[str]]:
    """The strings under the keys that match, at any depth."""

    def walk(node: object, key: str) -> Iterator[str]:
        if isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, str(name))
        elif isinstance(node, list):
            for value in node:
                yield from walk(value, key)
        elif isinstance(node, str) and re.fullmatch(wanted, key):
            yield node

    return lambda content: walk(load(content), "")


def lines_of_json(content: str) -> object:
    """JSON Lines as one list."""
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def load_yaml(content: str) -> object:
    """One YAML document."""
    return yaml.load(content, yaml.CSafeLoader)


def first_of_pairs(content: str) -> Iterator[str]:
    """The texts of [text, label] pairs."""
    for pairs in json.loads(content).values():
        yield from (text for text, _ in pairs)


def turns(content: str) -> Iterator[str]:
    """What both sides say between the marks of a Taskmaster dialogue."""
    yield from re.findall(r"(?:<[UA]>|\[A\])([^<\t\n[]+)", content)


def prose(content: str) -> Iterator[str]:
    """The paragraphs of a Markdown or reStructuredText page that hold no markup."""
    for paragraph in re.split(r"\n\s*\n", content):
        if re.match(r"[A-Z>-]", paragraph) and not re.search(r"[|{}<>=]|::|^ {2,}\S", paragraph, re.M):
            yield re.sub(r"[`*]|^[->] |\[(?=\w)|\]\S*|:$", "", SPACES.sub(" ", paragraph))


def public_prose(content: str) -> Iterator[str]:
    """As ``prose``, of a page that says that it is in the public domain."""
    if re.search(r"(placed|is) in the\s+public\s+domain", content):
        yield from prose(content)


def messages(content: str) -> Iterator[str]:
    """The paragraphs of commit messages, without what machines add to them."""
    for line in content.split("\0"):
        for paragraph in line.strip().split("\n\n"):
            if not re.search(r"-by:|^Merge |deps|^[ *-]|https?:", paragraph, re.M):
                yield paragraph


CORPORA = (
    Corpus(
        "google-research-datasets/Synthetic-Persona-Chat",
        "1f367a0f05d388ca96ebbbc9e5752ab19ac76510",
        "CC-BY-4.0",
        r"data/Synthetic-Persona-Chat_(test|valid)\.csv",
        columns(",", r"user \d personas|Best Generated Conversation"),
        32_000,
    ),
    Corpus(
        "google-research-datasets/Taskmaster",
        "d92cb6af3005f1dc09c39e75e7daf4a04905e00b",
        "CC-BY-4.0",
        r"TM-3-2020/splits/train/train-bc\.tsv",
        turns,
        8_000,
    ),
    Corpus(
        "google-research-datasets/Taskmaster",
        "d92cb6af3005f1dc09c39e75e7daf4a04905e00b",
        "CC-BY-4.0",
        r"TM-4-2024/data/.*\.json",
        values("text"),
        4_000,
    ),
    Corpus(
        "google-research-datasets/Disfl-QA",
        "1f0c16171c77b3d3408be92c485f11b8998a9189",
        "CC-BY-4.0",
        r".*\.json",
        values("original"),
        12_000,
    ),
    Corpus(
        "xliuhw/NLU-Evaluation-Data",
        "f6071b496b17d71e6eb43f543af0707f4ff30557",
        "CC-BY-4.0",
        r".*/RasaNlu_Merged_KFold_1_.*\.json",
        values("text"),
        12_000,
    ),
    Corpus(
        "clinc/oos-eval",
        "828f8093932c8fe6ca7936c3d2e52903b1c523de",
        "CC-BY-3.0",
        r"data/data_full\.json",
        first_of_pairs,
        11_000,
    ),
    Corpus(
        "PolyAI-LDN/task-specific-datasets",
        "57ec275d8078af65b7731c2a98be812d844a6d6b",
        "CC-BY-4.0",
        r"banking_data/.*\.csv",
        columns(",", "text"),
        5_000,
    ),
    Corpus(
        "awslabs/multi-domain-goal-oriented-dialogues-dataset",
        "baa30639c4b271f394b81443c842193407cdf26d",
        "CDLA-Permissive-1.0",
        r"data/.*turn_level/.*\.tsv",
        columns("\t", "utterance"),
        8_000,
    ),
    Corpus(
        "yizhongw/self-instruct",
        "0b26ccaa415992100fa32df62d41b994cf928e23",
        "Apache-2.0",
        r"data/seed_tasks\.jsonl|human_eval/user_oriented_instructions\.jsonl",
        values("instruction|input|output", lines_of_json),
        3_000,
    ),
    Corpus(
        "globalwordnet/english-wordnet",
        "d94538ad0df3d7a4c77837bde6af69d7a6592c32",
        "CC-BY-4.0",
        r"src/yaml/(noun|verb|adj|adv).*\.yaml",
        values("definition|example", load_yaml),
        24_000,
    ),
    Corpus("tldr-pages/tldr", "08e345f42639f67d99282813247ac670dc6e87cb", "CC-BY-4.0", r"pages/.*\.md", prose, 6_000),
    Corpus(
        "python/peps",
        "ba4deeb7969588d937da609008d05bb83a47b1ab",
        "Public domain or CC0-1.0",
        r"peps/pep-\d+\.rst",
        public_prose,
        4_000,
    ),
    Corpus(
        "rust-lang/rfcs", "354518a8c9025f40be6f730452c1bfe71a12dc22", "Apache-2.0 OR MIT", r"text/.*\.md", prose, 4_000
    ),
    Corpus("moby/moby", "b985e2313a8676e18072b442911fc8f64f17d440", "Apache-2.0", "", messages, 8_000),
)


def texts_of(corpus: Corpus, clone: Path) -> list[str]:
    """The texts of a corpus, the same for the same commit: once each, at most as many as its share."""
    found: dict[str, None] = {}
    for content in _contents(corpus, clone):
        for text in corpus.read(content):
            plain = SPACES.sub(" ", text).strip()
            parts = [plain] if len(plain.split()) <= LONGEST else SENTENCE_ENDS.split(plain)
            found.update((part, None) for part in parts if SHORTEST <= len(part.split()) <= LONGEST)
    texts = list(found)
    random.Random(corpus.repository).shuffle(texts)
    return texts[: corpus.at_most]


def _contents(corpus: Corpus, clone: Path) -> Iterator[str]:
    if not corpus.files:
        yield _git(clone, "log", "--no-merges", "--format=%B%x00", corpus.commit).decode("utf-8", "replace")
        return
    paths = _git(clone, "ls-tree", "-r", "--name-only", corpus.commit).decode().splitlines()
    wanted = "".join(f"{corpus.commit}:{path}\n" for path in paths if re.fullmatch(corpus.files, path))
    answer = io.BytesIO(_git(clone, "cat-file", "--batch", given=wanted.encode()))
    while header := answer.readline():
        # A partial copy may lack files: git says so instead of "<object> blob <bytes>".
        if header.split()[-2:-1] != [b"blob"]:
            raise ValueError(f"{clone} lacks a file: {header.decode().strip()}")
        yield answer.read(int(header.split()[-1])).decode("utf-8-sig", "replace")
        answer.readline()


def _git(clone: Path, *arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["git", "-C", str(clone), *arguments], input=given, capture_output=True, check=True).stdout
