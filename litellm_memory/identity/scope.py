"""One request's Scope, assembled from partition, user, project, session and client."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from litellm_memory.identity.headers import RequestOptions
from litellm_memory.identity.partition import MASTER_PARTITION, partition_of
from litellm_memory.identity.projects import choose_project
from litellm_memory.identity.rules import client_label, client_session
from litellm_memory.identity.users import Refusal, choose_user
from litellm_memory.models import Caller, Scope, Turn
from litellm_memory.redact.names import safe_id
from litellm_memory.settings import IdentitySettings


def identify(
    caller: Caller, headers: Mapping[str, str], options: RequestOptions, turn: Turn, settings: IdentitySettings
) -> Scope | Refusal:
    """Whose memory the request may see, or why it may see none. ``headers`` have names in lower case.

    The partition comes from ``caller`` alone; what the client writes can only choose inside it.
    """
    if options.refused is not None:
        return Refusal(options.refused)
    partition = partition_of(caller, settings.partition)
    if partition is None:
        return Refusal("no_identity")
    chosen = choose_user(caller, headers, options, turn, settings)
    if isinstance(chosen, Refusal):
        return chosen
    client = client_label(headers, turn, settings)
    project = choose_project(headers, options, turn, client, settings)
    return Scope(
        partition=partition,
        user=chosen.user,
        project=project.project,
        session=choose_session(headers, options, turn),
        client=client,
        only_session=options.session is not None,
        path=project.path,
    )


def choose_session(headers: Mapping[str, str], options: RequestOptions, turn: Turn) -> str | None:
    """The session, from the explicit header, else the client's own header, else the body."""
    return options.session or client_session(headers) or (turn.session and safe_id(turn.session)) or None


def vendor_user_id(scope: Scope) -> str:
    """The user id for a memory vendor: ``partition/user``, so that no two keys share a memory there.

    The master key's partition is omitted. The user is percent-encoded: no ``/``, and nothing that is invalid in a
    header.
    """
    user = quote(scope.user, safe=" @:.+")
    return user if scope.partition == MASTER_PARTITION else f"{scope.partition}/{user}"
