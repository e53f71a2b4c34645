"""What works, and what to do where something does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """What works. Each sentence is None when all is well, else says what to do."""

    opened: bool = False
    ledger: str | None = None
    taking: str | None = None
    """Why the keeper cannot write the ledger, told under ``ledger``."""
    store: str | None = "The store of memories is still opening."
    search: str | None = None
    model: str | None = None
    learning: str | None = None
    wrap: str | None = None
    callbacks: str | None = None
    """Why LiteLLM does not call memory."""
    beside: str | None = None
    """Another memory that takes part in the same requests."""
    sidecar: str | None = None
    away: dict[str, str] = field(default_factory=dict)
    """What requests go on without, and why: ``ledger``, ``store`` or ``search``."""

    def hear(self, fares: Mapping[str, str | None]) -> None:
        """Takes over what the keeper says of itself, by the names of ``Work.fares``."""
        self.learning, self.taking = fares["learning"], fares["ledger"]

    def problems(self) -> dict[str, str]:
        """The sentences by component; empty when all is well."""
        names = ("store", "search", "model", "learning", "wrap", "callbacks", "beside", "sidecar")
        parts = {"ledger": self.ledger or self.taking, **{name: getattr(self, name) for name in names}}
        return self.away | {name: sentence for name, sentence in parts.items() if sentence is not None}

    @property
    def ready(self) -> bool:
        """True when memories are recalled and learned, even if degraded: by words alone, or not from every message."""
        return self.opened and not any((self.ledger, self.taking, self.store, self.search, self.callbacks, self.away))
