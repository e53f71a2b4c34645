"""What we use of LiteLLM's proxy: config, verified keys, fallbacks. No other module uses LiteLLM's private names."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import litellm
from litellm.constants import LITELLM_PROXY_ADMIN_NAME, LITELLM_PROXY_MASTER_KEY_ALIAS
from litellm.proxy import proxy_server
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.auth.user_api_key_auth import user_api_key_auth
from litellm.proxy.plugin_routes import verify_plugin_session_claim
from starlette.requests import Request

from litellm_memory.engine import Outcome, vendor_of
from litellm_memory.errors import UnauthorizedError
from litellm_memory.hooks.asgi import App
from litellm_memory.identity import vendor_user_id
from litellm_memory.llm import Models
from litellm_memory.models import Caller
from litellm_memory.settings import SECTION, Settings, is_key_hash, load_settings, user_headers
from litellm_memory.wire import NATIVE_CALL_TYPES

logger = logging.getLogger(__name__)

OPT_OUT: Final = "allow_client_message_redaction_opt_out"
"""The switch in a key's or a team's metadata without which LiteLLM takes a client's opt-out off its request."""


def config_path() -> Path | None:
    """The config file that LiteLLM loaded; None when it runs without one."""
    path = proxy_server.user_config_file_path
    return Path(path) if path else None


def loaded_settings() -> Settings:
    """The settings of the config that LiteLLM loaded. Raises SettingsError."""
    path = config_path()
    directory = path.resolve().parent if path else Path.cwd()
    return load_settings(proxy_server.proxy_config.get_config_state(), directory=directory)


def models() -> Models:
    """The models of the proxy's router; the router is looked up at each call, because it is created later."""
    return Models(lambda: proxy_server.llm_router)


def wrap_app(wrap: Callable[[App], App]) -> None:
    """Wraps the running app in ``wrap``; ``add_middleware`` refuses once an app has started."""
    app = proxy_server.app
    if app.middleware_stack is None:
        app.middleware_stack = app.build_middleware_stack()
    app.middleware_stack = wrap(app.middleware_stack)


def extend_app(add: Callable[[Any], None]) -> None:
    """Calls ``add`` with LiteLLM's own app, to add routes to it."""
    add(proxy_server.app)


def before_shutdown(close: Callable[[], Awaitable[None]]) -> None:
    """Awaits ``close`` when the proxy shuts down. After SIGTERM neither ``atexit`` nor the app's shutdown hooks run."""
    inner = proxy_server.proxy_shutdown_event

    async def closing(*args: Any, **kwargs: Any) -> None:
        await close()
        await inner(*args, **kwargs)

    proxy_server.proxy_shutdown_event = closing


async def authenticate(headers: Mapping[str, str]) -> Caller:
    """The caller that the key in these headers (names in lower case) belongs to, verified by LiteLLM's own code.

    Raises UnauthorizedError. The key is checked as if for ``GET /v1/models``, which every key may call.
    """
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/v1/models", "query_string": b"", "headers": raw}
    request = Request(scope, _no_body)
    try:
        key = await user_api_key_auth(
            request,
            api_key=headers.get("authorization", ""),
            # Declared as a str, but FastAPI passes None for a missing header, and "" would be taken for a key.
            azure_api_key_header=headers.get("api-key"),
            anthropic_api_key_header=headers.get("x-api-key"),
            google_ai_studio_api_key_header=headers.get("x-goog-api-key"),
            azure_apim_header=headers.get("ocp-apim-subscription-key"),
            custom_litellm_key_header=headers.get("x-litellm-api-key"),
        )
    except Exception as error:
        # A rejected key raises ProxyException, HTTPException or, in custom_auth, anything.
        logger.debug("LiteLLM refused a key (%s)", type(error).__name__)
        raise UnauthorizedError("LiteLLM does not accept this key.") from None
    return caller_of(key)


def are_claims_signed() -> bool:
    """False while LiteLLM has no secret: it then derives the key of its claims from an empty one."""
    return bool(os.getenv("LITELLM_SALT_KEY", "").strip())


def claimant(plugin: str, claim: str) -> Caller | None:
    """The caller of a claim that LiteLLM signed for this plugin within the last 30 s; None for any other text.

    LiteLLM names the master key's login and the anonymous by a user that nobody is: neither is a caller's.
    """
    try:
        user = verify_plugin_session_claim(plugin, claim).get("user_id")
    except ValueError:
        return None
    return Caller(user=None if user == LITELLM_PROXY_ADMIN_NAME else user or None)


async def _no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def caller_of(key: UserAPIKeyAuth) -> Caller:
    """The caller of a verified key. The master key is recognised by LiteLLM's own marker, not by its user id."""
    # LiteLLM's oldest supported version knows neither projects nor the names of organizations.
    others = (getattr(key, "organization_metadata", None), getattr(key, "project_metadata", None))
    hashed, alias = key.api_key or key.token, key.key_alias
    known = _caller(hashed, key.user_id, key.team_id, alias, key.metadata, key.team_metadata, *others)
    return replace(
        known,
        email=key.user_email,
        team_alias=key.team_alias,
        organization=key.org_id,
        organization_alias=getattr(key, "organization_alias", None),
        role=getattr(key.user_role, "value", key.user_role),
    )


def as_verified(caller: Caller, headers: Mapping[str, str], state: Mapping[str, Any]) -> Caller:
    """``caller`` with the user that its key was verified for; nobody when a header replaced an unknown one.

    ``headers`` and ``state`` are those of the request, names in lower case.
    """
    # LiteLLM writes the header of `general_settings.user_header_mappings` over the key's user before any hook runs
    # (add_internal_user_from_user_mapping). Whom it verified is kept with the request; its own comment there asks to
    # take a missing principal for a refusal.
    if caller.user_headers.isdisjoint(headers):
        return caller
    principal = state.get("principal")
    if principal is None:
        return Caller()
    return replace(caller, user=principal.user.id if principal.user else None)


def caller_of_metadata(metadata: Mapping[str, Any]) -> Caller:
    """The caller of a relayed call: LiteLLM passes the verified key's fields on as ``user_api_key_*``."""
    names = ("user_id", "team_id", "alias", "user_email", "team_alias", "org_id", "org_alias")
    given = {name: metadata.get(f"user_api_key_{name}") for name in names}
    key = metadata.get("user_api_key") or metadata.get("user_api_key_hash")
    kept = [metadata.get(f"user_api_key_{name}") for name in ("metadata", "team_metadata")]
    known = _caller(key, given["user_id"], given["team_id"], given["alias"], *kept)
    return replace(
        known,
        email=given["user_email"],
        team_alias=given["team_alias"],
        organization=given["org_id"],
        organization_alias=given["org_alias"],
    )


def _caller(
    key: str | None, user: str | None, team: str | None, alias: str | None, *metadata: Mapping[str, Any] | None
) -> Caller:
    """The caller, with the restrictions that the metadata of the key and of its team put on memory."""
    narrowed = [item for item in map(_narrowing, metadata) if item is not None]
    return Caller(
        user=user,
        team=team,
        key=_key_hash(key),
        key_alias=alias,
        master=key == LITELLM_PROXY_MASTER_KEY_ALIAS,
        inject=all(item.get("inject", True) is True for item in narrowed),
        remember=all(item.get("remember", True) is True for item in narrowed),
        unlogged=any(map(_turns_logging_off, metadata)),
        may_be_logged=any(isinstance(item, Mapping) and item.get(OPT_OUT) is True for item in metadata),
        user_headers=user_headers(proxy_server.general_settings),
    )


def models_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The model that a request names, what it stands for, and every fallback that may answer it, without duplicates."""
    model = data.get("model")
    listed = model if isinstance(model, list) else [model]
    # LiteLLM sends a request for "one,other" to both.
    reached = [part.strip() for name in listed if isinstance(name, str) for part in name.split(",") if part.strip()]
    for name in reached:
        reached += [other for other in (*_stands_for(name, data), *_fallbacks(name, data)) if other not in reached]
    return tuple(reached)


def is_unlogged(data: Mapping[str, Any], headers: Mapping[str, str], caller: Caller) -> bool:
    """True when LiteLLM must not log this call's messages.

    The request, the key, the team, LiteLLM's headers and its global setting may turn logging off. The request and the
    headers override the global setting only where the key or its team allows it; nothing overrides the key's.
    """
    asked = _switch(data.get("turn_off_message_logging"))
    if data.get("no-log") is True or asked or caller.unlogged:
        return True
    if caller.may_be_logged and (asked is False or headers.get("litellm-disable-message-redaction")):
        return False
    by_header = headers.get("litellm-enable-message-redaction") or headers.get("x-litellm-enable-message-redaction")
    return bool(by_header) or litellm.turn_off_message_logging is True


def _switch(value: Any) -> bool | None:
    """A setting that LiteLLM accepts as a boolean or as ``"true"`` or ``"false"``; None for anything else."""
    return {"true": True, "false": False}.get(str(value).lower())


def _turns_logging_off(metadata: Mapping[str, Any] | None) -> bool:
    """True for a key's or team's metadata with a logging callback that keeps no messages."""
    logging_to = metadata.get("logging") if isinstance(metadata, Mapping) else None
    settings = [item.get("callback_vars") for item in logging_to or () if isinstance(item, Mapping)]
    return any(isinstance(item, Mapping) and _switch(item.get("turn_off_message_logging")) for item in settings)


def without_response_cache(data: dict[str, Any], call_type: str) -> dict[str, Any]:
    """``data`` that bypasses LiteLLM's response cache, so that nobody else gets an answer made with this memory."""
    if litellm.cache is None or call_type not in NATIVE_CALL_TYPES:
        return data
    asked = data.get("cache")
    return {**data, "cache": {**(asked if isinstance(asked, dict) else {}), "no-cache": True, "no-store": True}}


def for_vendor(kwargs: Mapping[str, Any], outcome: Outcome | None, settings: Settings) -> dict[str, Any] | None:
    """``kwargs`` of one attempt at a memory vendor's model, with the resolved user in the vendor's header.

    None for an attempt that goes elsewhere, such as a fallback: nobody else is told the user.
    """
    if outcome is None or outcome.reason != "vendor_memory" or outcome.scope is None:
        return None
    # Which of the two holds the group depends on the route.
    known = [kwargs.get(name) for name in ("metadata", "litellm_metadata")]
    groups = [metadata.get("model_group") for metadata in known if isinstance(metadata, Mapping)]
    vendor = vendor_of(groups, settings.vendor_memory)
    if vendor is None:
        return None
    return {
        **kwargs,
        "extra_headers": {**(kwargs.get("extra_headers") or {}), vendor.user_header: vendor_user_id(outcome.scope)},
    }


def _key_hash(key: str | None) -> str | None:
    """The hash of a key. ``custom_auth`` may return a key unhashed when it does not begin with ``sk-``."""
    if not key or is_key_hash(key):
        return key or None
    return sha256(key.encode()).hexdigest()


def _narrowing(metadata: Any) -> Mapping[str, Any] | None:
    narrowing = metadata.get(SECTION) if isinstance(metadata, Mapping) else None
    return narrowing if isinstance(narrowing, Mapping) else None


GATEWAY_MEMORY: Final = "litellm_memory_"
"""How the tools begin that LiteLLM's own gateway memory offers to a model (BerriAI/litellm#40894)."""


def is_gateway_memorys(data: Mapping[str, Any]) -> bool:
    """True for a round of LiteLLM's own memory: it offers its tools, and sends every round through all hooks."""
    tools = data.get("tools")
    return isinstance(tools, list) and any(_tool_name(tool).startswith(GATEWAY_MEMORY) for tool in tools)


def _tool_name(tool: Any) -> str:
    """The name of a tool in chat completions (inside ``function``), responses or messages."""
    told = tool.get("function", tool) if isinstance(tool, Mapping) else None
    return str(told.get("name") or "") if isinstance(told, Mapping) else ""


FALLBACKS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""The tables of fallbacks, as a router, a request, and the settings of a key or a team name them."""


def _stands_for(model: str, data: Mapping[str, Any]) -> Iterable[str]:
    """The models that are called ``model``: by an alias, as the id of a deployment, which LiteLLM tells in its answers,
    or as a group of several."""
    router, override = proxy_server.llm_router, data.get("router_settings_override")
    for table in (getattr(router, "model_group_alias", None), _of(override, "model_group_alias")):
        yield from _named_by(_of(table, model))
    if router is not None:
        deployment = router.get_deployment(model_id=model)
        yield from [deployment.model_name] if deployment else []
        # LiteLLM's oldest supported version knows no groups.
        yield from getattr(_of(getattr(router, "routing_groups", None), model), "models", ())


def _of(table: Any, name: str) -> Any:
    return table.get(name) if isinstance(table, Mapping) else None


def _fallbacks(model: str, data: Mapping[str, Any]) -> Iterable[str]:
    """The fallbacks of ``model``: the request's own, those of its key or team, and the router's."""
    override = data.get("router_settings_override")
    tables = [data.get(kind) for kind in FALLBACKS] + [[data.get("context_window_fallback_dict")]]
    if isinstance(override, Mapping):
        tables += [override.get(kind) for kind in FALLBACKS]
    if proxy_server.llm_router is not None:
        tables += [getattr(proxy_server.llm_router, kind) for kind in FALLBACKS]
    for table in tables:
        for entry in table if isinstance(table, list) else ():
            yield from _named_by(entry)
            if isinstance(entry, Mapping):
                for name in (model, "*"):
                    listed = entry.get(name)
                    for item in listed if isinstance(listed, list) else [listed]:
                        yield from _named_by(item)


def _named_by(fallback: Any) -> Iterable[str]:
    """The model of one fallback: a name, or an object of parameters with one."""
    named = fallback.get("model") if isinstance(fallback, Mapping) else fallback
    if isinstance(named, str):
        yield named
