"""Long texts that came before in another session or from another user: a program wrote them, not the person."""

from __future__ import annotations

from typing import Final

from litellm_memory.models import Scope

MOST: Final = 8_192
"""Long texts that are known, the oldest forgotten first: 1 MB of hashes."""
LONG: Final = 400
"""Characters from which a text is long enough to be a template: nobody types one twice by chance."""
BEGINNING: Final = 200
"""Characters that a template's copies have in common; what is filled in comes later."""


class Templates:
    """Where each long text was seen first. Only this process knows."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def known(self, text: str, scope: Scope) -> bool:
        """True when a long text with this beginning came before in another session, or from another user.

        Sessions that no client named are not told apart.
        """
        if len(text) < LONG:
            return False
        beginning, here = hash(text[:BEGINNING]), hash((scope.namespace, scope.session))
        first = self._seen.setdefault(beginning, here)
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        return first != here
