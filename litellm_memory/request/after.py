"""What memory does with the answer to a request: it marks the message as answered and hands it on to learning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from litellm_memory.ledger import Ledger
from litellm_memory.models import Earlier, Reply
from litellm_memory.redact import Redactor
from litellm_memory.request.background import SHORT, Background, off_loop
from litellm_memory.request.outcome import Outcome

CLOSE_SECONDS = 2.0
"""How long closing waits for answers that are still being recorded."""


class After:
    """Records answers in the background. Calls ``learn`` when there is something new to learn."""

    def __init__(
        self, redactor: Callable[[], Redactor], ledger: Ledger, background: Background, learn: Callable[[], None]
    ) -> None:
        self._redactor = redactor
        self._ledger = ledger
        self._background = background
        self._learn = learn
        self._noting: set[asyncio.Task[None]] = set()

    def __call__(self, outcome: Outcome, answer: Callable[[], Reply] | None, *, size: int = SHORT + 1) -> None:
        """Records the answer of ``size`` bytes in the background; ``answer`` reads it, None when the call failed."""
        if outcome.mark is not None:
            task = self._background.spawn(self._note(outcome, outcome.mark, answer, size))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)

    @property
    def noting(self) -> int:
        """How many answers are being recorded."""
        return len(self._noting)

    async def aclose(self) -> None:
        """Waits at most CLOSE_SECONDS for answers that are still being recorded."""
        if self._noting:
            await asyncio.wait(self._noting, timeout=CLOSE_SECONDS)

    async def _note(self, outcome: Outcome, mark: str, answer: Callable[[], Reply] | None, size: int) -> None:
        reply = await off_loop(size, partial(self._read, answer)) if answer else None
        if outcome.acceptance.journalled is not None:
            await outcome.acceptance.journalled
        if reply is not None and reply.complete:
            self._ledger.blocks.settle(mark)
            if reply.id is not None and outcome.scope is not None:
                earlier = Earlier(mark, outcome.injection.carried)
                self._ledger.answers.keep(reply.id, earlier, namespace=outcome.scope.namespace)
        # After a tool call the turn continues: its final answer comes with a later request of the tool loop.
        if outcome.acceptance.learns and not (reply is not None and reply.tools):
            if reply is not None and outcome.kind == "continuation":
                reply = replace(reply, tools=True)  # The turn used tools, if not in this answer.
            self._ledger.journal.answered(mark, reply)
            self._learn()

    def _read(self, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        return replace(reply, text=self._redactor().text(reply.text))
