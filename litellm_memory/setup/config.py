"""What is wrong with a LiteLLM config for memory, as far as the file and the environment tell. Pure, and reads only."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from litellm_memory.settings import MASTER, SECTION, GlobsSettings, LadderSettings, Settings, is_key_hash, user_headers
from litellm_memory.setup.finding import Finding

HANDLER = "litellm_memory.handler"
PLUGIN = "litellm-memory"
"""The name under `general_settings.plugins` by which LiteLLM's Admin UI knows the page."""
PUBLIC_KEYS: Final = frozenset({"sk-1234"})
"""Master keys of LiteLLM's own examples, with which it refuses to start."""
WEAK_KEY_ALLOWED: Final = "dangerously_permit_weak_or_unset_master_key"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
LITELLMS_PORT: Final = 4000
OTHER_LISTS: Final = ("success_callback", "failure_callback", "input_callback", "service_callback")
"""Lists of LiteLLM's whose members see calls but cannot change them."""
SECTIONS: Final = ("litellm_settings", "general_settings", "router_settings")
SIMILAR: Final = 0.8
"""From this similarity (difflib's ratio) on, a top-level key is a misspelling of ours; LiteLLM's own are below 0.6."""

Config: TypeAlias = Mapping[str, Any]
Environment: TypeAlias = Mapping[str, str]


def about_config(config: Config, settings: Settings, environment: Environment) -> list[Finding]:
    """Everything that is to say about the config."""
    checks: tuple[Callable[[Config, Settings, Environment], Iterable[Finding]], ...] = (
        _section_name,
        _callbacks,
        _master_key,
        _learning_model,
        _taking_part,
        _lifted_aliases,
        _nothing_to_do,
        _litellms_switches,
        _user_headers,
        _plugin,
        _vector_stores,
        _sidecar_place,
        _workers,
    )
    return [finding for check in checks for finding in check(config, settings, environment)]


def _section(config: Config, name: str) -> Config:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _section_name(config: Config, _: Settings, __: Environment) -> Iterator[Finding]:
    """Errors for a section that nobody reads: under another one, or misspelt."""
    remedy = f"Put {SECTION}: at the beginning of a line of its own, beside litellm_settings:."
    for name in SECTIONS:
        if SECTION in _section(config, name):
            yield Finding(
                "error", f"{SECTION} is under {name}, where nothing reads it: memory runs by defaults.", remedy
            )
    for name in map(str, config):
        plain = name.lower().replace("-", "_")
        if name != SECTION and difflib.SequenceMatcher(None, plain, SECTION).ratio() >= SIMILAR:
            yield Finding("error", f"The section {name} is read by nothing: it has to be called {SECTION}.", remedy)


def _callbacks(config: Config, _: Settings, __: Environment) -> Iterator[Finding]:
    section = _section(config, "litellm_settings")
    callbacks, remedy = section.get("callbacks"), f'Under litellm_settings put: callbacks: ["{HANDLER}"]'
    listed = callbacks if isinstance(callbacks, list) else []
    if HANDLER in listed:
        yield Finding("ok", f"callbacks names {HANDLER}")
        if listed.count(HANDLER) > 1:
            yield Finding("warning", f"callbacks names {HANDLER} {listed.count(HANDLER)} times.", "Once is enough.")
    elif callbacks == HANDLER:
        # A bare string replaces LiteLLM's own callbacks; a list is added to them.
        yield Finding("warning", "callbacks is a bare string, which replaces LiteLLM's own callbacks.", remedy)
    elif deeper := [name for name in listed if str(name).startswith("litellm_memory.")]:
        yield Finding("error", f"callbacks names {deeper[0]}, which loads the package a second time.", remedy)
    elif config.get("include"):
        what = f"callbacks of this file does not name {HANDLER}; the files that it includes were not read."
        yield Finding("warning", what, remedy)
    else:
        yield Finding("error", f"callbacks does not name {HANDLER}, so LiteLLM runs without memory.", remedy)
    for name in OTHER_LISTS:
        if HANDLER in (section.get(name) or ()):
            yield Finding("error", f"{name} names {HANDLER}: members of it cannot give memory to a request.", remedy)


def _master_key(config: Config, _: Settings, environment: Environment) -> Iterator[Finding]:
    general = _section(config, "general_settings")
    if general.get(WEAK_KEY_ALLOWED) is True or environment.get(f"LITELLM_{WEAK_KEY_ALLOWED.upper()}"):
        return
    key, named = general.get("master_key"), "general_settings.master_key"
    if isinstance(key, str) and key.startswith("os.environ/"):
        named = key.removeprefix("os.environ/")
        key = environment.get(named)
    elif key is None:
        named = "LITELLM_MASTER_KEY"
        key = environment.get(named)
    remedy = f"export {named}=sk-$(openssl rand -hex 32)" if named.isupper() else "Give it a long random value."
    if key is None:
        yield Finding("warning", f"{named} is not set here, and LiteLLM does not start without a master key.", remedy)
    elif not str(key).strip():
        yield Finding("error", f"{named} is empty: LiteLLM refuses to start with it.", remedy)
    elif key in PUBLIC_KEYS:
        yield Finding("error", f"{named} is a key of LiteLLM's examples: LiteLLM refuses to start with it.", remedy)


def _learning_model(config: Config, settings: Settings, _: Environment) -> Iterator[Finding]:
    wanted, names = settings.learn.model, _model_names(config)
    if wanted is None or any(fnmatchcase(wanted, name) for name in names):
        return
    near = difflib.get_close_matches(wanted, names, n=1)
    if "/" in wanted and not near:
        what = f"learn.model is {wanted}, which model_list does not name: LiteLLM asks its provider for it directly."
        yield Finding("warning", what, "Add it to model_list, with its key.")
        return
    what = f"learn.model is {wanted}, which model_list does not name: no model reads conversations."
    remedy = f"The nearest name there is {near[0]}." if near else f"model_list names {', '.join(names) or 'nothing'}."
    yield Finding("error", what, remedy)


def _model_names(config: Config) -> list[str]:
    listed = config.get("model_list")
    models = listed if isinstance(listed, list) else []
    return [str(model["model_name"]) for model in models if isinstance(model, Mapping) and model.get("model_name")]


def _taking_part(config: Config, settings: Settings, _: Environment) -> Iterator[Finding]:
    """Warnings for globs that let no model of the list take part, or that match none."""
    names = _model_names(config)
    for rule in ("include", "exclude"):
        for glob in getattr(settings.models, rule):
            if names and not any(fnmatchcase(name, glob) or fnmatchcase(glob, name) for name in names):
                yield Finding(
                    "warning", f"models.{rule} names {glob}, which fits no model of model_list.", "Correct it."
                )
    if names and not any(_admits(settings.models, name) for name in names):
        yield Finding("warning", "models lets no model of model_list have memory.", "Widen models.include or exclude.")


def _admits(globs: GlobsSettings, name: str) -> bool:
    if globs.include:
        return any(fnmatchcase(name, glob) for glob in globs.include)
    return not any(fnmatchcase(name, glob) for glob in globs.exclude)


def _nothing_to_do(_: Config, settings: Settings, __: Environment) -> Iterator[Finding]:
    """Warnings for settings of ours by which memory gives or keeps nothing."""
    learn = settings.learn
    off = {
        "inject is off: no request is given memories.": not settings.inject,
        "remember is off: nothing is learned.": not settings.remember,
        "learn.patterns, learn.turns and learn.model are all off: nothing is learned.": not (
            learn.patterns or learn.turns or learn.model
        ),
        "recall.max_memories is 0: no request is given memories.": settings.recall.max_memories == 0,
        "recall.token_budget is 0: no request is given memories.": settings.recall.token_budget == 0,
        "recall.min_score is 1: no memory reaches that.": settings.recall.min_score == 1,
    }
    for what, found in off.items():
        if found:
            yield Finding("warning", what, "Change it, unless that is meant.")


def _lifted_aliases(_: Config, settings: Settings, __: Environment) -> Iterator[Finding]:
    """Warnings for policies that lift a key by its alias, which whoever makes a key in LiteLLM chooses."""
    for name in ("recall", "learn"):
        ladder: LadderSettings = getattr(settings.policies, name)
        below = {ladder.everybody, *ladder.users.values(), *ladder.teams.values(), *ladder.organizations.values()}
        lifted = [key for key, policy in ladder.keys.items() if policy != "off" and not _is_sure(key)]
        if lifted and "off" in below:
            what = f"policies.{name}.keys.{lifted[0]} may lift what users, teams or everybody are denied."
            yield Finding("warning", what, "Name the key by its hash if people make keys of their own in LiteLLM.")


def _is_sure(key: str) -> bool:
    """True for a name that nobody can give to a key: its hash, or the word for the master key."""
    return key == MASTER or is_key_hash(key)


def _litellms_switches(config: Config, settings: Settings, _: Environment) -> Iterator[Finding]:
    """Warnings for LiteLLM's own settings that stop memory, or a part of it."""
    litellm, general = _section(config, "litellm_settings"), _section(config, "general_settings")
    if litellm.get("turn_off_message_logging") is True and not settings.learn.despite_no_logging:
        what = "litellm_settings.turn_off_message_logging is on, so nothing is learned."
        yield Finding("warning", what, "Set learn.despite_no_logging: true if memory may keep what logs may not.")
    if litellm.get("cache") is True:
        what = "litellm_settings.cache is on: requests that are given memory bypass that cache."
        yield Finding("warning", what, "Nothing to do; an answer made with somebody's memory is nobody else's.")
    if general.get("store_model_in_db") is True:
        what = "general_settings.store_model_in_db is on: callbacks that are set in the Admin UI are not seen here."
        yield Finding("warning", what, "After a start, look at /memory-ready on LiteLLM's port.")
    for route in general.get("pass_through_endpoints") or ():
        if isinstance(route, Mapping) and route.get("auth") is not True:
            what = f"The pass-through route {route.get('path')} has no auth: true, so no key, and no memory."
            yield Finding("warning", what, "Set auth: true on it if it shall have memory.")


def _user_headers(config: Config, _: Settings, __: Environment) -> Iterator[Finding]:
    """A warning where LiteLLM takes users from headers, which any client can write."""
    names = sorted(user_headers(config.get("general_settings")))
    if names:
        what = f"general_settings lets clients name a user by {', '.join(names)}: memory takes that for an end user."
        yield Finding(
            "warning", what, "Only keys in identity.delegating_keys get memory with it; list the front end's."
        )


def _plugin(config: Config, settings: Settings, environment: Environment) -> Iterator[Finding]:
    """What keeps people from being signed in to the page by LiteLLM's Admin UI, where it is listed there."""
    listed = _section(config, "general_settings").get("plugins")
    if not any(isinstance(one, dict) and one.get("name") == PLUGIN for one in listed or ()):
        return
    if not environment.get("LITELLM_SALT_KEY", "").strip():
        what = (
            "LITELLM_SALT_KEY is not set, so anybody could sign in LiteLLM's name: the page answers its claims by 503."
        )
        yield Finding("warning", what, "Set it for the proxy, or sign in to the page with a LiteLLM key.")
    if settings.identity.partition != "user":
        what = f"identity.partition is {settings.identity.partition}: LiteLLM's claims name a user, and open nothing."
        yield Finding("warning", what, "Sign in to the page with a LiteLLM key.")
    if settings.sidecar.framed_by is None:
        what = "sidecar.framed_by is not set, so no browser shows the page inside LiteLLM's Admin UI."
        yield Finding("warning", what, "Set it to the origin of the Admin UI, as in https://litellm.example.com.")


def _sidecar_place(config: Config, settings: Settings, environment: Environment) -> Iterator[Finding]:
    sidecar, general = settings.sidecar, _section(config, "general_settings")
    if not sidecar.enabled:
        return
    if sidecar.host not in LOOPBACK:
        keyed = general.get("master_key") or general.get("custom_auth") or environment.get("LITELLM_MASTER_KEY")
        if not (keyed or sidecar.api_key):
            what = f"The sidecar listens on {sidecar.host}, and neither LiteLLM nor sidecar.api_key asks for a key."
            yield Finding("error", what, "Set a master key, or sidecar.host: 127.0.0.1.")
        else:
            what = f"The sidecar listens on {sidecar.host} without TLS: keys and memories cross the network readably."
            yield Finding("warning", what, "Put a proxy with TLS before it, or set sidecar.host: 127.0.0.1.")
    if sidecar.port == _number(environment.get("PORT"), LITELLMS_PORT):
        what = f"sidecar.port is {sidecar.port}, on which LiteLLM listens itself."
        yield Finding("warning", what, "Name another sidecar.port.")


def _workers(_: Config, settings: Settings, environment: Environment) -> Iterator[Finding]:
    workers = _number(environment.get("NUM_WORKERS"), 1)
    if workers > 1 and not settings.recall.process:
        what = f"NUM_WORKERS is {workers} and recall.process is off: each worker holds all memories in RAM."
        yield Finding("warning", what, "Leave recall.process on: one process searches for all workers.")


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise


def _vector_stores(config: Config, settings: Settings, _: Environment) -> Iterator[Finding]:
    """A warning for each vector store of LiteLLM's that is a partition's memories."""
    listed = config.get("vector_store_registry")
    for one in listed if isinstance(listed, list) else ():
        params = one.get("litellm_params") if isinstance(one, Mapping) else None
        if isinstance(params, Mapping) and f":{settings.sidecar.port}" in str(params.get("api_base")):
            what = f"vector store {one.get('vector_store_name')}: whoever may use it in LiteLLM reads these memories."
            yield Finding("warning", what, "Give it to the teams and keys that may, in LiteLLM; docs/security.md")
