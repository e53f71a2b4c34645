"""How a request would be routed, for people to inspect: the same choices as for a real one, without credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypedDict

from litellm_memory.identity.headers import RequestOptions, decoded, holds_credentials, plain_name
from litellm_memory.identity.partition import partition_of
from litellm_memory.identity.projects import choose_project
from litellm_memory.identity.rules import Match, client_label, in_force
from litellm_memory.identity.scope import choose_session
from litellm_memory.identity.users import ChosenUser, Refusal, choose_user
from litellm_memory.models import Caller, Turn
from litellm_memory.settings import HeaderPattern, IdentitySettings

HIDDEN: Final = "[hidden]"


class MatchedPattern(TypedDict):
    """The rule that set the user, and the header value that it matched."""

    header: str
    value: str
    pattern: str
    user_id: str | None


class RoutingInfo(TypedDict):
    """How one request would be routed. ``refused``: why it would get no memory."""

    user_id: str | None
    matched_pattern: MatchedPattern | None
    custom_header_present: bool
    is_default: bool
    client: str | None
    project: str | None
    session: str | None
    partition: str | None
    refused: str | None


class RuleInForce(TypedDict):
    """One identity rule, and whether it comes from the settings or the built-in catalogue."""

    source: Literal["settings", "catalogue"]
    header: str
    pattern: str
    user_id: str | None
    project: str | None
    client: str | None


def routing_info(
    caller: Caller | None, headers: Mapping[str, str], options: RequestOptions, turn: Turn, settings: IdentitySettings
) -> RoutingInfo:
    """How this request would be routed. Without an authenticated ``caller`` there is no partition and no delegation.

    For a rule on a credential header, the value and the pattern are hidden.
    """
    chosen = _chosen(caller, headers, options, turn, settings)
    user = chosen if isinstance(chosen, ChosenUser) else None
    client = client_label(headers, turn, settings)
    return RoutingInfo(
        user_id=user.user if user else None,
        matched_pattern=_matched(user.match) if user and user.match else None,
        custom_header_present=plain_name(settings.header) in headers or options.user is not None,
        is_default=user.default if user else False,
        client=client,
        project=choose_project(headers, options, turn, client, settings).project,
        session=choose_session(headers, options, turn),
        partition=partition_of(caller, settings.partition) if caller else None,
        refused=chosen.reason if isinstance(chosen, Refusal) else None,
    )


def rules_in_force(settings: IdentitySettings) -> list[RuleInForce]:
    """Every identity rule in the order in which they are tried: the settings', then the catalogue's."""
    return [
        RuleInForce(
            source=source,
            header=rule.header,
            pattern=_shown(rule, rule.pattern),
            user_id=rule.user_id,
            project=rule.project,
            client=rule.client,
        )
        for source, rule in in_force(settings)
    ]


def _chosen(
    caller: Caller | None, headers: Mapping[str, str], options: RequestOptions, turn: Turn, settings: IdentitySettings
) -> ChosenUser | Refusal:
    if options.refused is not None:
        return Refusal(options.refused)
    if caller is not None and partition_of(caller, settings.partition) is None:
        return Refusal("no_identity")
    return choose_user(caller or Caller(), headers, options, turn, settings)


def _matched(match: Match) -> MatchedPattern:
    return MatchedPattern(
        header=match.rule.header,
        value=_shown(match.rule, decoded(match.value)),
        pattern=_shown(match.rule, match.rule.pattern),
        user_id=match.rule.user_id,
    )


def _shown(rule: HeaderPattern, text: str) -> str:
    return HIDDEN if holds_credentials(rule.header) else text
