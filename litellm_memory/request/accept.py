"""Whether a call is learned from; if so, the person's new words go to the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from litellm_memory.identity import client_checkouts
from litellm_memory.journal.journal import Journal
from litellm_memory.ledger import Ledger
from litellm_memory.memories.unasked import is_wish_alone
from litellm_memory.models import Exchange, Turn
from litellm_memory.redact import Redactor
from litellm_memory.request.background import SHORT, Background
from litellm_memory.request.marks import Said
from litellm_memory.request.outcome import Acceptance
from litellm_memory.request.reading import Reading
from litellm_memory.request.templates import Templates
from litellm_memory.settings import Settings
from litellm_memory.wire.shapes import repeats_a_file, speaker

MOST_OF_A_GROUP = 200
"""Earlier messages that are searched for other speakers: in a group several speak in any two hundred."""


class Acceptor:
    """Accepts what may be learned."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        redactor: Callable[[], Redactor],
        ledger: Ledger,
        journal: Journal,
        background: Background,
    ) -> None:
        self._settings = settings
        self._redactor = redactor
        self._ledger = ledger
        self._journal = journal
        self._background = background
        self._templates = Templates()

    def accept(self, reading: Reading) -> Acceptance:
        """Whether this call is learned from. Journals a person's new words at once, long ones soon."""
        if not may_learn(reading, self._settings()):
            return Acceptance()
        if reading.request.dry:
            return Acceptance(learns=True)
        self._ledger.paths.note(reading.scope.namespace, client_checkouts(reading.scope, reading.request.headers))
        if reading.kind != "person":
            return Acceptance(learns=True)
        said = reading.said[-1]
        if repeats_a_file(said.text) or is_a_groups(reading.turn) or self._templates.known(said.text, reading.scope):
            return Acceptance()
        if is_wish_alone(said.text):
            return Acceptance()
        if reading.request.guarded:
            return Acceptance(True, late=True)
        if len(said.text) > SHORT:
            return Acceptance(True, journalled=self._background.spawn(self._accept_long(reading, said)))
        self._journal.accept(exchange_of(reading, self._redactor().text(said.text)))
        return Acceptance(True)

    async def _accept_long(self, reading: Reading, said: Said) -> None:
        text = await asyncio.to_thread(self._redactor().text, said.text)
        self._journal.accept(exchange_of(reading, text))


def exchange_of(reading: Reading, text: str) -> Exchange:
    """The exchange that begins with the person's newest message, whose redacted words are ``text``."""
    before = reading.said[-2] if len(reading.said) > 1 else reading.earlier
    return Exchange(
        reading.request.id,
        replace(reading.scope, conversation=_conversation(reading)),
        reading.said[-1].mark,
        text,
        reading.notes.at,
        reading.request.model,
        place=len(reading.said),
        before=before.mark if before else None,
    )


def _conversation(reading: Reading) -> str | None:
    """What the messages of a conversation share that names no session: the mark of the first one in the body.

    None where the provider keeps the messages before it.
    """
    return None if reading.scope.session or reading.earlier else reading.said[0].mark


def is_a_groups(turn: Turn) -> bool:
    """True when the newest message names its speaker, and others of the conversation name other ones."""
    newest_first = (message for message in reversed(turn.messages) if message.role == "person" and message.texts)
    newest = next(newest_first, None)
    if newest is None or speaker(newest.texts[-1].text) is None:
        return False
    persons = (newest, *islice(newest_first, MOST_OF_A_GROUP))
    return len({name for one in persons for text in one.texts if (name := speaker(text.text))}) > 1


def may_learn(reading: Reading, settings: Settings) -> bool:
    """False when a setting, the key or a header switched learning off, or LiteLLM keeps no log of this call."""
    switched_off = not reading.standing.learn.allowed or reading.options.store is False
    unlogged = reading.request.no_logging and not settings.learn.despite_no_logging
    return reading.mark is not None and not switched_off and not unlogged
