"""The user inside a partition: what may name it, and which keys may act for end users of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from litellm_memory.identity.headers import USER, RequestOptions, decoded, plain_name
from litellm_memory.identity.partition import bound_by
from litellm_memory.identity.rules import Match, first_match
from litellm_memory.models import Caller, Turn, readable_id
from litellm_memory.redact.names import safe_id
from litellm_memory.settings import MASTER, IdentitySettings

END_USER_HEADERS: Final = ("x-openwebui-user-id", "x-litellm-end-user-id", "x-litellm-customer-id")
"""Headers in which a client names an end user of its own."""

# Open WebUI can send its user as a signed JWT instead of the plain headers. We have no key to verify it.
UNREADABLE_END_USER_HEADERS: Final = ("x-openwebui-user-jwt",)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request gets no memory."""

    reason: str


@dataclass(frozen=True, slots=True)
class ChosenUser:
    """The user inside the partition, the rule that set it if any, and whether it is the default."""

    user: str
    match: Match | None = None
    default: bool = False


def choose_user(
    caller: Caller, headers: Mapping[str, str], options: RequestOptions, turn: Turn, settings: IdentitySettings
) -> ChosenUser | Refusal:
    """The user, from the explicit header, else an end user of a delegating key, else a rule, else the default.

    A header that claims an end user without the right to, or unreadably, means a refusal.
    """
    end_user = _end_user(caller, headers, turn, settings)
    if isinstance(end_user, Refusal):
        return end_user
    named = options.user or end_user
    if named is not None:
        return ChosenUser(named)
    match = first_match("user_id", headers, settings)
    if match is not None and match.rule.user_id is not None:
        return ChosenUser(match.rule.user_id, match=match)
    return _default_user(caller, settings)


def delegates(caller: Caller, settings: IdentitySettings) -> bool:
    """True when the operator lets this key act for end users: its alias, its hash or its user is listed.

    The master key delegates only when the word ``master`` is listed; that word matches no other key.
    """
    return listed(caller, settings.delegating_keys)


def listed(caller: Caller, keys: Collection[str]) -> bool:
    """True when one of ``keys`` is the alias, the hash or the user of the caller's key."""
    if caller.master:
        return MASTER in keys
    return not (set(keys) - {MASTER}).isdisjoint({caller.key_alias, caller.key, caller.user})


def _end_user(
    caller: Caller, headers: Mapping[str, str], turn: Turn, settings: IdentitySettings
) -> str | Refusal | None:
    """The end user that the request claims, when its key may claim one; None when none is claimed."""
    # An operator who configured one of these as ``identity.header`` has allowed it to every key.
    readable = (*END_USER_HEADERS, *sorted(caller.user_headers.difference(END_USER_HEADERS)))
    claiming = [
        name
        for name in (*readable, *UNREADABLE_END_USER_HEADERS)
        if name in headers and plain_name(name) not in (plain_name(settings.header), *USER)
    ]
    if claiming and not delegates(caller, settings):
        return Refusal("undelegated_end_user")
    if claiming:
        claims = {safe_id(decoded(headers[name])) for name in claiming if name in readable} or {None}
        return _agreed(claims)
    if turn.user is None or not delegates(caller, settings):
        return None
    if _SESSION_OF_CLAUDE_CODE.search(turn.user):
        # Neither a name nor the lack of one: an end user may be called so to be given what nobody's name is given.
        return Refusal("unreadable_end_user")
    return _agreed({safe_id(turn.user)})


# Claude Code's `metadata.user_id` is a device and a session: as JSON, in older versions with underscores.
_SESSION_OF_CLAUDE_CODE = re.compile(r'"session_id"|_session_[0-9a-f-]{36}$')


def _agreed(claims: set[str | None]) -> str | Refusal:
    """The one user that all claims name; a refusal when they disagree or one is unreadable."""
    if None in claims:
        return Refusal("unreadable_end_user")
    first, *others = (claim for claim in claims if claim is not None)
    return Refusal("end_users_disagree") if others else first


def _default_user(caller: Caller, settings: IdentitySettings) -> ChosenUser | Refusal:
    """The user when nothing names one: the key's own user in a team's partition, else the configured default."""
    if bound_by(caller, settings.partition) != "team" or not caller.user:
        return ChosenUser(settings.default_user_id, default=True)
    user = own_user(caller, settings)
    return Refusal("unreadable_key_user") if user is None else ChosenUser(user, default=True)


def own_user(caller: Caller, settings: IdentitySettings) -> str | None:
    """The key's own user inside a team's partition; None where that is nobody, or cannot be a name."""
    bound = bound_by(caller, settings.partition) == "team" and caller.user
    return readable_id(bound) if bound else None
