"""Whether a call is learned from; if so, the person's new words go to the journal in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from litellm_memory.identity import client_checkouts
from litellm_memory.ledger import Ledger
from litellm_memory.models import Exchange
from litellm_memory.redact import Redactor
from litellm_memory.request.background import Background, off_loop
from litellm_memory.request.marks import Said
from litellm_memory.request.outcome import Acceptance
from litellm_memory.request.reading import Reading
from litellm_memory.settings import Settings


class Acceptor:
    """Accepts what may be learned."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        redactor: Callable[[], Redactor],
        ledger: Ledger,
        background: Background,
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._ledger = ledger
        self._background = background

    def accept(self, reading: Reading) -> Acceptance:
        """Whether this call is learned from. Starts to journal a person's new words, and does not wait for that."""
        if not may_learn(reading, self._settings()):
            return Acceptance()
        if reading.request.dry:
            return Acceptance(learns=True)
        self._ledger.paths.note(reading.scope.namespace, client_checkouts(reading.scope, reading.request.headers))
        if reading.kind != "person":
            return Acceptance(learns=True)
        return Acceptance(True, self._background.spawn(self._journal(reading, reading.said[-1])))

    async def _journal(self, reading: Reading, last: Said) -> None:
        redactor, request = self._redactor(), reading.request
        text = await off_loop(len(last.text), partial(redactor.text, last.text))
        self._ledger.journal.accept(
            Exchange(request.id, reading.scope, last.mark, text, reading.notes.at, request.model)
        )


def may_learn(reading: Reading, settings: Settings) -> bool:
    """False when a setting, the key or a header switched learning off, or LiteLLM keeps no log of this call."""
    switched_off = not (settings.remember and reading.request.caller.remember) or reading.options.store is False
    unlogged = reading.request.no_logging and not settings.learn.despite_no_logging
    return reading.mark is not None and not switched_off and not unlogged
