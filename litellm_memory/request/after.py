"""What memory does with the answer to a request: it marks the message as answered and notes it for learning."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from litellm_memory.journal.journal import Journal
from litellm_memory.models import Earlier, Reply
from litellm_memory.redact import Redactor
from litellm_memory.request.accept import exchange_of
from litellm_memory.request.background import SHORT, Background
from litellm_memory.request.let_through import LetThrough
from litellm_memory.request.outcome import Outcome

CLOSE_SECONDS = 2.0
"""How long closing waits for answers that are still being recorded."""


class After:
    """Records answers. Nobody waits for it: a short answer takes less time than a task."""

    def __init__(self, redactor: Callable[[], Redactor], journal: Journal, background: Background) -> None:
        self._redactor = redactor
        self._journal = journal
        self._background = background
        self._noting: set[asyncio.Task[None]] = set()

    def __call__(
        self,
        outcome: Outcome,
        answer: Callable[[], Reply] | None,
        *,
        size: int = SHORT + 1,
        passed: Callable[[], LetThrough | None] | None = None,
    ) -> None:
        """Records the answer of ``size`` bytes; ``answer`` reads it, None when the call failed. A long one later.

        ``passed`` tells what the guardrails of a guarded request let through; None when one refused it.
        """
        if outcome.mark is None:
            return
        if outcome.reading is not None and outcome.reading.request.guarded:
            self._guarded(outcome, answer, passed)
            return
        if answer is None or (size <= SHORT and outcome.acceptance.journalled is None):
            self._note(outcome, outcome.mark, self._read(answer) if answer else None)
            return
        task = self._background.spawn(self._note_long(outcome, outcome.mark, answer))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _guarded(
        self, outcome: Outcome, answer: Callable[[], Reply] | None, passed: Callable[[], LetThrough | None] | None
    ) -> None:
        """What a guarded request teaches: nothing, unless it was let through and answered."""
        if answer is None or passed is None:
            self._note_refused(outcome)
            return
        task = self._background.spawn(self._note_guarded(outcome, answer, passed))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    def _note_refused(self, outcome: Outcome) -> None:
        """Nothing of this request is kept; words of its turn that were let through earlier stay without a reply."""
        if outcome.mark is not None and outcome.acceptance.learns and not outcome.acceptance.late:
            self._journal.answered(outcome.mark, None)

    async def _note_guarded(
        self, outcome: Outcome, answer: Callable[[], Reply], passed: Callable[[], LetThrough | None]
    ) -> None:
        reply, through = await asyncio.to_thread(lambda: (answer(), passed()))
        if through is None or not reply.complete or outcome.reading is None or outcome.mark is None:
            self._note_refused(outcome)
            return
        words, text = await asyncio.to_thread(
            lambda: (self._redactor().text(through.words), self._redactor().text(through.masked(reply.text)))
        )
        if outcome.acceptance.late and words:
            self._journal.accept(exchange_of(outcome.reading, words))
        self._note(outcome, outcome.mark, replace(reply, text=text))

    @property
    def noting(self) -> int:
        """How many answers are being recorded."""
        return len(self._noting)

    async def noted(self) -> None:
        """Returns once the answers are recorded that are being recorded now."""
        if self._noting:
            await asyncio.wait(self._noting)

    async def aclose(self) -> None:
        """Waits at most CLOSE_SECONDS for answers that are still being recorded."""
        if self._noting:
            await asyncio.wait(self._noting, timeout=CLOSE_SECONDS)

    async def _note_long(self, outcome: Outcome, mark: str, answer: Callable[[], Reply]) -> None:
        reply = await asyncio.to_thread(self._read, answer)
        if outcome.acceptance.journalled is not None:
            await outcome.acceptance.journalled
        self._note(outcome, mark, reply)

    def _note(self, outcome: Outcome, mark: str, reply: Reply | None) -> None:
        if reply is not None and reply.complete:
            self._journal.blocks.settle(mark)
            if reply.id is not None and outcome.scope is not None:
                earlier = Earlier(mark, outcome.injection.carried)
                self._journal.answers.keep(reply.id, earlier, namespace=outcome.scope.namespace)
        # After a tool call the turn continues: its final answer comes with a later request of the tool loop.
        if outcome.acceptance.learns and not (reply is not None and reply.tools):
            if reply is not None and outcome.kind == "continuation":
                reply = replace(reply, tools=True)  # The turn used tools, if not in this answer.
            self._journal.answered(mark, reply)

    def _read(self, answer: Callable[[], Reply]) -> Reply:
        reply = answer()
        return replace(reply, text=self._redactor().text(reply.text))
