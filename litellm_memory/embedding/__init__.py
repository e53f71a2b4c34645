"""Texts to vectors: the model inside the process, where its files are, how they get there; or one of LiteLLM's
models."""

from __future__ import annotations

import os

# Since version 1.29 ONNX Runtime sends telemetry as soon as it is imported, unless this is set by then
# (microsoft/onnxruntime pull request 27379); hence its place before the imports.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from litellm_memory.embedding.choice import Embedders
from litellm_memory.embedding.embedder import Embedder, memory_vectors
from litellm_memory.embedding.install import find_model, install_model, user_cache
from litellm_memory.embedding.local import LocalModel
from litellm_memory.embedding.remote import EmbeddingModels, RemoteModel
from litellm_memory.embedding.sources import Report

__all__ = [
    "Embedder",
    "Embedders",
    "EmbeddingModels",
    "LocalModel",
    "RemoteModel",
    "Report",
    "find_model",
    "install_model",
    "memory_vectors",
    "user_cache",
]
