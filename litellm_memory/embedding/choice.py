"""Which embedder serves a store: only one that the settings name, or the local one, which sends nothing anywhere."""

from __future__ import annotations

from functools import partial

from litellm_memory.embedding.embedder import Embedder
from litellm_memory.embedding.install import find_model
from litellm_memory.embedding.local import LocalModel
from litellm_memory.embedding.remote import EmbeddingModels, RemoteModel
from litellm_memory.errors import ModelCallError, ModelMissingError
from litellm_memory.redact import redact
from litellm_memory.settings import Settings

MISSING = "There is no embedding model here, so words alone are searched: run `litellm-memory model install`."


class Embedders:
    """The embedders of one process, each opened when it is first needed. ``models`` are LiteLLM's, where it runs."""

    def __init__(self, settings: Settings, models: EmbeddingModels | None = None) -> None:
        self._settings = settings.embedding
        self._local: LocalModel | None = None
        self._remote: RemoteModel | None = None
        if self._settings.model != "local" and models is not None:
            self._remote = RemoteModel(
                models,
                self._settings.model,
                dimensions=self._settings.dimensions,
                # Also where secrets may be kept: they do not leave this host.
                clean=partial(redact, words=settings.learn.redact_words),
            )

    @property
    def identity(self) -> str:
        """The identity of the embedder that the settings name. Raises ModelCallError when it is not known."""
        if self._settings.model == "local":
            return LocalModel.identity
        return self._named().identity

    async def dimension(self) -> int:
        """How long its vectors are. Raises ModelCallError when the model has to be asked and does not answer."""
        if self._settings.model == "local":
            return LocalModel.dimension
        return await self._named().measure()

    def named(self) -> Embedder:
        """The embedder that the settings name. Raises ModelMissingError, or ModelCallError."""
        return self._opened() if self._settings.model == "local" else self._named()

    def of(self, identity: str) -> Embedder | None:
        """The embedder that made a store's vectors; None when there is none: then words alone are searched."""
        try:
            if identity == LocalModel.identity:
                return self._opened()
            if self._remote is not None and identity == self._remote.identity:
                return self._remote
        except (ModelMissingError, ModelCallError):
            pass
        return None

    def problem(self, identity: str) -> str | None:
        """What keeps vectors of this identity from being searched as the settings say; one sentence with what to do."""
        try:
            wanted = self.identity
            if identity == LocalModel.identity:
                self._opened()
        except (ModelMissingError, ModelCallError) as error:
            return str(error)
        if identity == wanted:
            return None
        serves = "which still serves" if self.of(identity) else "so words alone are searched until then"
        return (
            f"The memories' vectors come from {identity}, {serves}, but the settings name {wanted}: "
            "run `litellm-memory reembed`, or name the former again."
        )

    def close(self) -> None:
        """Closes those that are open."""
        for embedder in (self._local, self._remote):
            if embedder is not None:
                embedder.close()

    def _named(self) -> RemoteModel:
        if self._remote is None:
            raise ModelCallError(f"embedding.model {self._settings.model} needs LiteLLM, which does not run here.")
        return self._remote

    def _opened(self) -> LocalModel:
        if self._local is None:
            directory = find_model(self._settings.model_dir)
            if directory is None:
                raise ModelMissingError(MISSING)
            self._local = LocalModel.open(directory)
        return self._local
