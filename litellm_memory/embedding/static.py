"""The vector of a question without the model: its tokens' vectors, looked up in a table and added up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

TABLE = Path(__file__).parent.parent / "model" / "questions.npy"
"""Made by `scripts/train_question_table` for the vectors of the embedded model, and for no others."""

SHA256 = "e7f02c8947636ee508e3281e4b3e5e23676e048ec00a6a13c6248ce51d7d5b09"
"""The digest of that file."""


class QuestionTable:
    """A vector for each token of the embedded model, such that the sum over a text's tokens points where the model's
    vector of the text does.

    A row has 8-bit values and the scale of its row. The file is mapped, so all processes of a host share one copy.
    """

    def __init__(self, rows: NDArray[np.void]) -> None:
        self._scales, self._values = rows["scale"], rows["values"]

    @classmethod
    def open(cls, path: Path = TABLE) -> QuestionTable | None:
        """The table in a file; None when it is missing or damaged, which is logged."""
        try:
            with path.open("rb") as file:
                whole = file_digest(file, "sha256").hexdigest() == SHA256
        except OSError:
            whole = False
        if whole:
            return cls(np.asarray(np.load(path, mmap_mode="r")))
        logger.warning("%s is missing or damaged, so the model reads every question: install the package again.", path)
        return None

    def vector(self, tokens: Sequence[int]) -> Floats:
        """The unit vector of a text of these tokens, the special ones at its ends included."""
        summed: Floats = self._scales[tokens].astype(np.float32) @ self._values[tokens].astype(np.float32)
        unit: Floats = summed / np.maximum(np.linalg.norm(summed), np.float32(1e-12))
        return unit
