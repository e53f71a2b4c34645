"""What a team shares: the layer of a verified key, and who may approve for it. Nothing that a client writes counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Final

from litellm_memory.identity.users import delegates, listed
from litellm_memory.models import LAYER, Caller, Scope
from litellm_memory.settings import Settings

SHARED: Final = "team"
"""The one user of a layer's partition."""
NAMED: Final = "layer:"
"""Before the id or alias of a team, where a partition is named."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What the team of a verified key shares, and whether that key may approve for it."""

    team: str
    alias: str | None
    curated: bool = False

    @property
    def scope(self) -> Scope:
        """Where its memories are."""
        return Scope(layer_partition(self.team), SHARED)

    def is_called(self, name: str) -> bool:
        """True when a partition is named so: by the team, or by the partition's id."""
        teams = {"", self.team, self.alias}
        return name == self.scope.partition or (name.startswith(NAMED) and name.removeprefix(NAMED) in teams)


def layer_partition(team: str) -> str:
    """The partition of what the team with this id shares."""
    return LAYER + sha256(f"layer:{team}".encode()).hexdigest()[:32]


def is_layer(partition: str) -> bool:
    """True for the partition of what some team shares."""
    return partition.startswith(LAYER)


def user_in(partition: str, named: str | None, default: str) -> str:
    """The user whom a request is about: the ``named`` one, else ``default``; a layer has one alone."""
    return SHARED if is_layer(partition) else named or default


def layer_of(caller: Caller, settings: Settings) -> Layer | None:
    """The layer of the team that LiteLLM verified for the key; None where the settings give it none.

    The master key, and keys that may act for end users, have none unless the settings name one.
    """
    layers = settings.layers
    if caller.master:
        return Layer(layers.default, None, curated=True) if layers.default else None
    if not layers.teams or not caller.team or not _any_fits(layers.teams, (caller.team, caller.team_alias)):
        return None
    if delegates(caller, settings.identity) and not listed(caller, layers.delegating_keys):
        return None
    return Layer(caller.team, caller.team_alias, curated=_curates(caller, settings))


def _curates(caller: Caller, settings: Settings) -> bool:
    """True for a key, a user or a role of the settings. An alias makes nobody a curator: people choose it."""
    layers = settings.layers
    return caller.role in layers.curator_roles or _any_fits(layers.curators, (caller.key, caller.user, caller.email))


def _any_fits(globs: Iterable[str], names: Iterable[str | None]) -> bool:
    known = [name for name in names if name]
    return any(fnmatchcase(name, glob) for glob in globs for name in known)
