"""What works, and what to do where something does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Health:
    """What works. Each field except ``opened`` is None when all is well, else one sentence that says what to do."""

    opened: bool = False
    ledger: str | None = None
    store: str | None = "The store of memories is still opening."
    model: str | None = None
    learning: str | None = None
    wrap: str | None = None
    sidecar: str | None = None

    def problems(self) -> dict[str, str]:
        """The sentences by component; empty when all is well."""
        parts = {name: getattr(self, name) for name in ("ledger", "store", "model", "learning", "wrap", "sidecar")}
        return {name: sentence for name, sentence in parts.items() if sentence is not None}

    @property
    def ready(self) -> bool:
        """True when memories are recalled and learned, even if degraded: by words alone, or not from every message."""
        return self.opened and self.ledger is None and self.store is None
