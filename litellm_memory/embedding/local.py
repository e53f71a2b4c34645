"""The embedded model at work: texts -> unit vectors, with no network and without holding up the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray
from tokenizers import Tokenizer

from litellm_memory.embedding.embedder import RECIPE
from litellm_memory.errors import ModelCallError, ModelMissingError

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
MANIFEST = "manifest.json"
"""Written last into a model's directory: without it there is no model in there."""

MAX_TOKENS = 256
"""Where the model stops reading, as its authors set it; its two marks count."""

MAX_CHARACTERS = 32 * MAX_TOKENS
"""What is given to the tokenizer, which reads all that it gets before it cuts: a message may hold megabytes."""

SLOWER = "SkipLayerNormFusion"
"""What ONNX Runtime does to a graph and should not: an addition and its norm, made one, take three times as long. Of a
short question's vector that was a sixth."""

RECENT = 256
"""Vectors that are kept with their texts, in RAM alone."""


class LocalModel:
    """all-MiniLM-L6-v2 with int8 weights, kept in memory for as long as the process lives."""

    name: ClassVar[str] = "all-MiniLM-L6-v2-int8"
    """The model and its quantisation, as its directory and its manifest call it."""
    identity: ClassVar[str] = f"{name}-{RECIPE}"
    dimension: ClassVar[int] = 384

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._recent: OrderedDict[str, Floats] = OrderedDict()

    @classmethod
    def open(cls, directory: Path) -> LocalModel:
        """The model in ``directory``. Raises ModelMissingError when it is not there, or not as its manifest says."""
        model, tokenizer = read_model(directory)
        return cls(TextEncoder(model, Tokenizer.from_buffer(tokenizer)))

    def embed(self, texts: Sequence[str]) -> Floats:
        """A row for each text, in order: float32 unit vectors, shape (n, 384). Works on the calling thread."""
        return _rows([self._encoder.vector(text) for text in texts])

    async def embed_soon(self, texts: Sequence[str]) -> Floats:
        """As ``embed``, on the model's own thread.

        A batch gives way to other callers after every text, so a query waits for one text of each batch at most.
        """
        return _rows([await self.query(text) for text in texts])

    async def documents(self, texts: Sequence[str]) -> list[Floats | None]:
        """A vector each, as ``embed_soon`` makes them."""
        return list(await self.embed_soon(texts))

    async def query(self, text: str) -> Floats:
        """The vector of ``text``, kept for a while: what was just asked for is often what is learned next.

        Raises ModelCallError.
        """
        vector = self._recent.pop(text, None)
        if vector is None:
            vector = await self._encoded(text)
        self._recent[text] = vector
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return vector

    async def _encoded(self, text: str) -> Floats:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._encoder.vector, text)
        except Exception as error:  # ONNX Runtime and the tokenizer raise what they like; a closed model RuntimeError.
            logger.debug("The embedded model failed", exc_info=error)
            raise ModelCallError(f"The embedded model failed ({type(error).__name__}).") from None

    def close(self) -> None:
        """Ends the model's thread after the text that it is at; texts that wait for it are given up."""
        self._executor.shutdown(cancel_futures=True)


class TextEncoder:
    """A sentence encoder in ONNX with its tokenizer: mean pooled, unpadded, cut at 256 tokens, one thread."""

    def __init__(self, model: bytes, tokenizer: Tokenizer) -> None:
        self._session = onnxruntime.InferenceSession(
            model, _single_threaded(), providers=["CPUExecutionProvider"], disabled_optimizers=[SLOWER]
        )
        self._tokenizer = tokenizer
        self._tokenizer.enable_truncation(MAX_TOKENS)
        # Padding costs what it adds: a 20-token query padded to 256 takes twenty times as long.
        self._tokenizer.no_padding()

    def vector(self, text: str) -> Floats:
        """The unit vector of ``text``."""
        ids = np.array([self._tokenizer.encode(_readable(text)).ids], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        tokens: Floats = self._session.run(None, feeds)[0][0]
        pooled: Floats = tokens.mean(axis=0)
        return pooled / np.float32(np.linalg.norm(pooled))


def read_model(directory: Path) -> tuple[bytes, bytes]:
    """The bytes of the ONNX file and of the tokenizer in ``directory``, which are what its manifest says.

    Raises ModelMissingError when they are not, or when it is another model.
    """
    manifest = _manifest(directory)
    if (manifest.get("identity"), manifest.get("dimension")) != (LocalModel.name, LocalModel.dimension):
        raise ModelMissingError(f"{directory} does not hold {LocalModel.name}: run `litellm-memory model install`.")
    model, tokenizer = (_checked(directory, name, manifest) for name in (MODEL, TOKENIZER))
    return model, tokenizer


def digest(content: bytes) -> str:
    """The sha256 of ``content`` in hex, as manifests write it."""
    return sha256(content).hexdigest()


def _rows(vectors: Sequence[Floats]) -> Floats:
    return np.array(vectors, np.float32).reshape(len(vectors), LocalModel.dimension)


def _readable(text: str) -> str:
    # JSON may carry half a surrogate pair, which the tokenizer refuses.
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _single_threaded() -> onnxruntime.SessionOptions:
    """One thread that does not spin: on a busy host two are slower than one, and a spinning one starves the proxy."""
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
