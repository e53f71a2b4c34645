"""The embedded model: texts to unit vectors, without network and without blocking the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from litellm_memory.embedding.embedder import RECIPE
from litellm_memory.embedding.static import TABLE, QuestionTable
from litellm_memory.errors import ModelCallError, ModelMissingError

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
MANIFEST = "manifest.json"
"""Written last into a model's directory: without it the model is incomplete."""

MAX_TOKENS = 256
"""Longest input in tokens, as the model's authors set it, including its two special tokens."""

MAX_CHARACTERS = 32 * MAX_TOKENS
"""The text is truncated to this before tokenizing: the tokenizer reads all of it, and a message may have megabytes."""

SLOW_FUSION = "SkipLayerNormFusion"
"""A graph optimisation of ONNX Runtime that is disabled: the fused addition and normalisation take three times as long,
which was a sixth of the time for a short question."""

RECENT = 256
"""Size of the cache of vectors by text, in RAM only."""


class LocalModel:
    """all-MiniLM-L6-v2 with int8 weights, loaded for the lifetime of the process."""

    name: ClassVar[str] = "all-MiniLM-L6-v2-int8"
    """The model and its quantisation, as its directory and its manifest call it."""
    identity: ClassVar[str] = f"{name}-{RECIPE}"
    dimension: ClassVar[int] = 384

    def __init__(self, encoder: Callable[[], TextEncoder], table: QuestionTable | None = None) -> None:
        self._make_encoder = encoder
        self._table = table
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._recent: OrderedDict[str, Floats] = OrderedDict()

    @classmethod
    def open(cls, directory: Path, table: Path = TABLE) -> LocalModel:
        """The model in ``directory``. Raises ModelMissingError when it is missing or does not match its manifest."""
        read_model(directory)
        return cls(partial(_encoder_in, directory), QuestionTable.open(table))

    @cached_property
    def _encoder(self) -> TextEncoder:
        # On first use: a worker that leaves questions and memories to other processes holds no model in RAM.
        return self._make_encoder()

    def embed(self, texts: Sequence[str]) -> Floats:
        """A row per text, in order: float32 unit vectors, shape (n, 384). Runs on the calling thread."""
        return _rows([self._encoder.vector(text) for text in texts])

    async def embed_soon(self, texts: Sequence[str]) -> Floats:
        """As ``embed``, on the model's own thread.

        A batch yields to other callers after every text, so a query waits for at most one text of each batch.
        """
        return _rows([await self.query(text) for text in texts])

    async def documents(self, texts: Sequence[str]) -> list[Floats | None]:
        """One vector per text, through ``embed_soon``."""
        return list(await self.embed_soon(texts))

    async def query(self, text: str, *, here: bool = False) -> Floats:
        """The vector of ``text``, which is cached: what was just asked is often learned next.

        ``here``: on the calling thread once the model is loaded, without the wait for another one to wake up.
        Raises ModelCallError.
        """
        vector = self._recent.pop(text, None)
        if vector is None:
            vector = await self._encoded(text, here=here and "_encoder" in vars(self))
        self._recent[text] = vector
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return vector

    def static_query(self, text: str) -> Floats | None:
        """A vector near the one of ``query``, on the calling thread, twenty times as fast; None without the table.

        It depends on the text alone: an exact vector in the cache is not used.
        """
        return None if self._table is None else self._table.vector(self._encoder.tokens(text))

    async def _encoded(self, text: str, *, here: bool) -> Floats:
        try:
            if here:
                return self._vector(text)
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._vector, text)
        except Exception as error:  # ONNX Runtime and the tokenizer may raise anything, a closed model RuntimeError.
            logger.debug("The embedded model failed", exc_info=error)
            raise ModelCallError(f"The embedded model failed ({type(error).__name__}).") from None

    def _vector(self, text: str) -> Floats:
        return self._encoder.vector(text)

    def close(self) -> None:
        """Stops the model's thread after the current text; waiting texts are cancelled."""
        self._executor.shutdown(cancel_futures=True)


class TextEncoder:
    """A sentence encoder in ONNX with its tokenizer: mean pooled, unpadded, truncated to 256 tokens,
    single-threaded."""

    def __init__(self, model: bytes, tokenizer: Tokenizer) -> None:
        # Imported here: a process that makes no vectors does without its 40 MB.
        import onnxruntime  # type: ignore[import-untyped]  # it ships no types

        self._session = onnxruntime.InferenceSession(
            model, _single_threaded(), providers=["CPUExecutionProvider"], disabled_optimizers=[SLOW_FUSION]
        )
        self._tokenizer = tokenizer
        self._tokenizer.enable_truncation(MAX_TOKENS)
        # Padding is not free: a 20-token query padded to 256 takes twenty times as long.
        self._tokenizer.no_padding()

    def vector(self, text: str) -> Floats:
        """The unit vector of ``text``."""
        ids = np.array([self.tokens(text)], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        tokens: Floats = self._session.run(None, feeds)[0][0]
        pooled: Floats = tokens.mean(axis=0)
        return pooled / np.float32(np.linalg.norm(pooled))

    def tokens(self, text: str) -> list[int]:
        """The ids of the tokens of ``text``, between the two special ones."""
        ids: list[int] = self._tokenizer.encode(_readable(text)).ids
        return ids


def _encoder_in(directory: Path) -> TextEncoder:
    model, tokenizer = read_model(directory)
    return TextEncoder(model, Tokenizer.from_buffer(tokenizer))


def read_model(directory: Path) -> tuple[bytes, bytes]:
    """The bytes of the ONNX file and of the tokenizer in ``directory``, verified by its manifest.

    Raises ModelMissingError when they do not match, or when it is another model.
    """
    manifest = _manifest(directory)
    if (manifest.get("identity"), manifest.get("dimension")) != (LocalModel.name, LocalModel.dimension):
        raise ModelMissingError(f"{directory} does not hold {LocalModel.name}: run `litellm-memory model install`.")
    model, tokenizer = (_checked(directory, name, manifest) for name in (MODEL, TOKENIZER))
    return model, tokenizer


def digest(content: bytes) -> str:
    """The sha256 of ``content`` in hex, as in manifests."""
    return sha256(content).hexdigest()


def _rows(vectors: Sequence[Floats]) -> Floats:
    return np.array(vectors, np.float32).reshape(len(vectors), LocalModel.dimension)


def _readable(text: str) -> str:
    # JSON may carry a lone surrogate, which the tokenizer rejects.
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _single_threaded() -> Any:
    """One thread without spinning: on a busy host two are slower than one, and a spinning one starves the proxy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _manifest(directory: Path) -> Mapping[str, object]:
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except (OSError, ValueError):
        manifest = None
    if not isinstance(manifest, Mapping):
        raise ModelMissingError(f"{directory} holds no embedding model: run `litellm-memory model install`.")
    return manifest


def _checked(directory: Path, name: str, manifest: Mapping[str, object]) -> bytes:
    files = manifest.get("files")
    try:
        content = (directory / name).read_bytes()
    except OSError:
        content = b""
    if not isinstance(files, Mapping) or files.get(name) != digest(content):
        raise ModelMissingError(f"{directory / name} is missing or damaged: run `litellm-memory model install`.")
    return content
