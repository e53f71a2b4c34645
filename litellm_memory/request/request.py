"""A request as LiteLLM hands it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litellm_memory.models import Body, Caller
from litellm_memory.request.screened import Screen

LONGEST_KEPT: Final = 256
"""Characters of a client's model name and path that are kept: a body of megabytes can be all model name."""


@dataclass(frozen=True, slots=True)
class Request:
    """An authenticated request, not yet sent. Header names are in lower case."""

    id: str
    call_type: str
    route: str | None
    headers: Mapping[str, str]
    body: Body
    caller: Caller
    models: tuple[str, ...] = ()
    """The requested model and every fallback that the call may reach."""
    no_logging: bool = False
    """LiteLLM is configured not to log this call's messages."""
    beside: bool = False
    """A round of LiteLLM's own gateway memory, which offers its tools and answers them by itself."""
    guarded: bool = False
    """Guardrails may still change or refuse the request or its answer: nothing of it is kept before that is known."""
    original: Body | None = None
    """The client's own body, where a guardrail may have changed ``body`` before memory saw it."""
    screen: Screen | None = None
    """What the request's guardrails let through of a memory; None when there are none to ask."""
    dry: bool = False
    """A dry run keeps nothing: no block is frozen, nothing is journalled or traced."""

    @property
    def model(self) -> str | None:
        """The model asked for, at most LONGEST_KEPT characters of it; None when the request names none."""
        return self.models[0][:LONGEST_KEPT] if self.models else None

    @property
    def path(self) -> str | None:
        """The route without its query, which may hold a key; at most LONGEST_KEPT characters of it."""
        return None if self.route is None else self.route.partition("?")[0][:LONGEST_KEPT]
