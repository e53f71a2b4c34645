"""Which policy holds for a verified key: the most specific rung of the ladder that says something about it decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from litellm_memory.models import Caller
from litellm_memory.settings import MASTER, LadderSettings, Policy, is_key_hash

_STRICTEST_FIRST: Final = ("off", "opt_in", "on")


@dataclass(frozen=True, slots=True)
class Ruling:
    """A policy and where it comes from: the rung, as its setting is called, and the name or glob that it stands by."""

    policy: Policy
    rung: str
    name: str | None = None
    """None for everybody."""

    def __str__(self) -> str:
        return self.rung if self.name is None else f"{self.rung}.{self.name}"


def ruling_of(caller: Caller, ladder: LadderSettings) -> Ruling | None:
    """The policy that holds for ``caller``; None when none was set.

    On one rung a name that is written out goes before globs, and the strictest of several holds. Nothing that a client
    writes is looked at.
    """
    if not ladder.model_fields_set:
        return None
    for rung, given in _names(caller):
        policies, names = getattr(ladder, rung), [name for name in given if name]
        found = [(name, policies[name]) for name in names if name in policies and (caller.master or name != MASTER)]
        found = found or _matching(ladder.globs[rung], names)
        if found:
            name, policy = min(found, key=lambda one: (_STRICTEST_FIRST.index(one[1]), one[0]))
            return Ruling(policy, rung, name)
    return Ruling(ladder.everybody, "everybody") if "everybody" in ladder.model_fields_set else None


def _names(caller: Caller) -> Iterator[tuple[str, tuple[str | None, ...]]]:
    """The rungs, the most specific first, each with the names by which it knows the caller."""
    if caller.master:
        # LiteLLM gives the master key a made-up user.
        yield "keys", (MASTER,)
        return
    # Whoever may make keys may call one like the hash of another.
    alias = None if caller.key_alias and is_key_hash(caller.key_alias) else caller.key_alias
    yield "keys", (alias, caller.key)
    yield "users", (caller.user, caller.email)
    yield "teams", (caller.team, caller.team_alias)
    yield "organizations", (caller.organization, caller.organization_alias)


def _matching(globs: Mapping[str, Policy], names: Sequence[str]) -> list[tuple[str, Policy]]:
    return [(glob, policy) for glob, policy in globs.items() if any(fnmatchcase(name, glob) for name in names)]
