"""The errors of this package that a caller can act on. Each message is one sentence that says what to do."""


class LiteLLMMemoryError(Exception):
    """The base class of every error that this package raises on purpose."""


class SettingsError(LiteLLMMemoryError):
    """The ``litellm_memory:`` section cannot be used; the message names the key and what it may be."""


class StoreError(LiteLLMMemoryError):
    """The store is down, damaged, owned by another installation, or of another version."""


class StoreMovedError(StoreError):
    """The store has moved to another embedder since it was opened: reopen it."""


class LedgerError(LiteLLMMemoryError):
    """The ledger cannot be opened, read or written; the message says what to do."""


class AwayError(LiteLLMMemoryError):
    """``part`` failed several times in a row, and is not asked until it answers again."""

    def __init__(self, part: str) -> None:
        super().__init__(f"The {part} is away: `/ready` says why, and it is looked for every second.")
        self.part = part


class ModelMissingError(LiteLLMMemoryError):
    """The embedding model is not on this machine, or its bytes are not the pinned ones."""


class ModelCallError(LiteLLMMemoryError):
    """A model that LiteLLM calls is unknown, timed out, or gave an invalid answer."""


class RefusedTextError(ModelCallError):
    """A model rejects its input: a retry does not help."""


class NotFoundError(LiteLLMMemoryError):
    """No such memory in the caller's partition."""


class CommandError(LiteLLMMemoryError):
    """A command cannot do what it was asked; the message says what to do."""


class UnauthorizedError(LiteLLMMemoryError):
    """LiteLLM does not accept the key of a request, or there is none."""


class TooManySwitchesError(LiteLLMMemoryError):
    """A partition has too many pauses and agreements; the message says what to do."""
