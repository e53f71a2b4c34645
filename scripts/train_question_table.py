"""Trains the table of token vectors from which a question's vector is summed: `litellm_memory/model/questions.npy`.

Every token starts with the embedded model's own vector of it. Gradient descent then turns the sums over each text's
tokens towards the model's vectors of the texts. The texts and their licences are in `question_corpora.py`; name a clone
of each repository, with its whole history where commit messages are read:

    scripts/train_question_table clinc/oos-eval=/clones/oos-eval python/peps=/clones/peps ...

It takes ten minutes of a core and 2 GB. The commits are named there, so the same libraries on the same processor give
the same table; its digest, which is printed, is `SHA256` in `litellm_memory/embedding/static.py`. That replaces the
table, so measure with `scripts/bench/recall` first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from question_corpora import CORPORA, texts_of
from tokenizers import Tokenizer

from litellm_memory.embedding import find_model
from litellm_memory.embedding.local import MAX_TOKENS, SLOW_FUSION, LocalModel, read_model
from litellm_memory.embedding.static import TABLE

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

EPOCHS, RATE, BATCH, SEED = 4, 0.05, 1024, 0
HELD_OUT = 3_000
"""Texts that only measure the table."""
LONGEST = 64
"""Tokens of a text; longer ones take the teacher most of its time."""
TOKENS_AT_ONCE = 256
"""Texts of one length are read together, about this many tokens: a third faster than one by one."""


class Teacher:
    """The embedded model, reading texts in batches."""

    def __init__(self, threads: int) -> None:
        directory = find_model()
        if directory is None:
            raise SystemExit("There is no model here: run `litellm-memory model install`.")
        model, tokenizer = read_model(directory)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=[SLOW_FUSION]
        )
        self._threads = threads
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def vocabulary(self) -> list[list[int]]:
        """Every token as a text of its own."""
        first, last = self._tokenizer.encode("").ids
        return [[first, token, last] for token in range(self._tokenizer.get_vocab_size())]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        return [encoded.ids for encoded in self._tokenizer.encode_batch(texts)]

    def vectors(self, texts: Sequence[Sequence[int]]) -> Floats:
        """A unit vector for each text, given as tokens."""
        vectors = np.empty((len(texts), LocalModel.dimension), np.float32)
        lengths = np.array([len(tokens) for tokens in texts])
        batches: list[Integers] = []
        for length in np.unique(lengths):
            alike = np.flatnonzero(lengths == length)
            at_once = max(1, TOKENS_AT_ONCE // int(length))
            batches += np.split(alike, range(at_once, len(alike), at_once))

        def read(rows: Integers) -> None:
            ids = np.array([texts[row] for row in rows], np.int64)
            feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            vectors[rows] = _unit(self._session.run(None, feeds)[0].mean(axis=1))

        with ThreadPoolExecutor(self._threads) as threads:
            # What is read together depends on no timing: the model rounds by all that it reads at once.
            for _ in threads.map(read, batches):
                pass
        return vectors


class Texts:
    """The tokens of many texts, laid end to end."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self._lengths = np.array([len(tokens) for tokens in texts])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._tokens = np.concatenate([np.array(tokens, np.int64) for tokens in texts])

    def of(self, rows: Integers) -> tuple[Integers, Integers]:
        """The tokens of some texts, and for each token the place of its text among them."""
        lengths = self._lengths[rows]
        text = np.repeat(np.arange(len(rows)), lengths)
        place = np.arange(len(text)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._tokens[self._starts[rows][text] + place], text


def fitted(table: Floats, texts: Texts, vectors: Floats, rows: Integers) -> Floats:
    """The table after EPOCHS of Adagrad, a rate per token, on the cosine between sums and vectors."""
    table, seen = table.copy(), np.full(len(table), 1e-8, np.float32)
    random = np.random.default_rng(SEED)
    steps = EPOCHS * (len(rows) // BATCH)
    for step in range(steps):
        if step % (len(rows) // BATCH) == 0:
            shuffled = random.permutation(rows)
            print(f"epoch {EPOCHS * step // steps + 1} of {EPOCHS}", flush=True)
        start = step % (len(rows) // BATCH) * BATCH
        batch = shuffled[start : start + BATCH]
        tokens, text = texts.of(batch)
        sums, wanted = _unit(_sums(table, tokens, text)), vectors[batch]
        gradient = (sums * wanted).sum(axis=1, keepdims=True) * sums - wanted
        order = np.argsort(tokens, kind="stable")
        token, first = np.unique(tokens[order], return_index=True)
        gradients = np.add.reduceat(gradient[text[order]], first, axis=0)
        seen[token] += (gradients**2).mean(axis=1)
        table[token] -= RATE * (1 - step / steps) * gradients / np.sqrt(seen[token])[:, None]
    return table


def quantised(table: Floats) -> NDArray[np.void]:
    """The table as the package reads it: 8-bit values and a scale for each token."""
    scales = np.abs(table).max(axis=1) / 127
    rows = np.empty(len(table), [("scale", "<f4"), ("values", "i1", (table.shape[1],))])
    rows["scale"], rows["values"] = scales, np.round(table / scales[:, None])
    return rows


def main() -> None:
    """Trains, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="+", metavar="OWNER/NAME=PATH")
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--threads", type=int, default=1, help="Threads that the model reads on.")
    arguments = parser.parse_args()
    clones = dict(clone.split("=", 1) for clone in arguments.clones)
    if missing := {corpus.repository for corpus in CORPORA} - clones.keys():
        parser.error(f"Name a clone of https://github.com/ {', '.join(sorted(missing))}")
    said = [text for corpus in CORPORA for text in texts_of(corpus, Path(clones[corpus.repository]))]
    teacher = Teacher(arguments.threads)
    tokens = [text for text in teacher.tokens(said) if len(text) <= LONGEST]
    print(f"{len(tokens)} texts, {sum(map(len, tokens))} tokens", flush=True)
    vectors, texts = teacher.vectors(tokens), Texts(tokens)
    held, rows = np.split(np.random.default_rng(SEED).permutation(len(tokens)), [HELD_OUT])
    table = quantised(fitted(teacher.vectors(teacher.vocabulary()), texts, vectors, rows))
    np.save(arguments.out, table)
    sums = _unit(_sums(table["scale"][:, None] * table["values"], *texts.of(held)))
    with arguments.out.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    print(json.dumps({"held_out_cosine": round(float((sums * vectors[held]).sum(axis=1).mean()), 4), "sha256": digest}))


def _sums(table: Floats, tokens: Integers, text: Integers) -> Floats:
    sums: Floats = np.add.reduceat(table[tokens], np.flatnonzero(np.diff(text, prepend=-1)), axis=0)
    return sums


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return unit


if __name__ == "__main__":
    main()
