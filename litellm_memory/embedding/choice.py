"""Which embedder serves a store: the one in the settings, or the local one, which sends nothing anywhere."""

from __future__ import annotations

from litellm_memory.embedding.embedder import Embedder
from litellm_memory.embedding.install import find_model
from litellm_memory.embedding.local import LocalModel
from litellm_memory.embedding.remote import EmbeddingModels, RemoteModel
from litellm_memory.errors import ModelCallError, ModelMissingError
from litellm_memory.redact import Redactor
from litellm_memory.settings import Settings

MISSING = "There is no embedding model here, so words alone are searched: run `litellm-memory model install`."


class Embedders:
    """The embedders of one process, each opened on first use. ``models`` are LiteLLM's, where that runs."""

    def __init__(self, settings: Settings, models: EmbeddingModels | None = None) -> None:
        self._models = models
        self._settings = settings.embedding
        self.redactor = Redactor.of(settings.learn)
        """Removes secrets from texts before a model gets them; replaced when the settings change."""
        self._local: LocalModel | None = None
        self._remote = self._called(settings)
        self._next: RemoteModel | None = None

    def prepare_move(self, settings: Settings) -> None:
        """Prepares the embedder that the changed config names: once the store has moved to it, it serves without a
        restart."""
        self._next = self._called(settings)

    @property
    def identity(self) -> str:
        """The identity of the embedder in the settings. Raises ModelCallError when it is not known."""
        if self._settings.model == "local":
            return LocalModel.identity
        return self._named().identity

    async def dimension(self) -> int:
        """The length of its vectors. Raises ModelCallError when the model has to be called and does not answer."""
        if self._settings.model == "local":
            return LocalModel.dimension
        return await self._named().measure()

    def named(self) -> Embedder:
        """The embedder in the settings. Raises ModelMissingError, or ModelCallError."""
        return self._opened() if self._settings.model == "local" else self._named()

    def of(self, identity: str) -> Embedder | None:
        """The embedder that made a store's vectors; None when it is not available: then only words are searched."""
        try:
            if identity == LocalModel.identity:
                return self._opened()
            remotes = (remote for remote in (self._remote, self._next) if remote is not None)
            return next((remote for remote in remotes if remote.identity == identity), None)
        except (ModelMissingError, ModelCallError):
            return None

    def differs(self, identity: str) -> bool:
        """True when the settings name another embedder than this; False when that is unknown."""
        try:
            return identity != self.identity
        except ModelCallError:
            return False

    def problem(self, identity: str) -> str | None:
        """Why vectors of this identity are not searched as the settings say, in one sentence with what to do; None if
        they are."""
        try:
            wanted = self.identity
            if identity == LocalModel.identity:
                self._opened()
        except (ModelMissingError, ModelCallError) as error:
            return str(error)
        if identity == wanted or (self._next is not None and self.of(identity) is self._next):
            return None
        serves = "which still serves" if self.of(identity) else "so words alone are searched until then"
        return (
            f"The memories' vectors come from {identity}, {serves}, but the settings name {wanted}: "
            "run `litellm-memory reembed`, or name the former again."
        )

    def close(self) -> None:
        """Closes the open ones."""
        for embedder in (self._local, self._remote, self._next):
            if embedder is not None:
                embedder.close()

    def _called(self, settings: Settings) -> RemoteModel | None:
        if settings.embedding.model == "local" or self._models is None:
            return None
        return RemoteModel(
            self._models,
            settings.embedding.model,
            dimensions=settings.embedding.dimensions,
            clean=self._clean,
        )

    def _clean(self, text: str) -> str:
        # Also where the settings keep secrets: these do not leave this host.
        return self.redactor.always.text(text)

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
