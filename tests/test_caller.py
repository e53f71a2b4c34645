"""Who LiteLLM says is calling, and what its keys, teams and requests say about keeping messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import litellm
import pytest
from litellm.proxy import proxy_server
from litellm.proxy._types import UserAPIKeyAuth

from litellm_memory.cli.reach import key_of
from litellm_memory.hooks.handler import _route
from litellm_memory.hooks.proxy import as_verified, caller_of, caller_of_metadata, is_unlogged, models_of
from litellm_memory.models import Caller

KEPT_OFF = {"logging": [{"callback_name": "langfuse", "callback_vars": {"turn_off_message_logging": "True"}}]}


def test_the_master_key_is_told_by_litellms_own_marker() -> None:
    key = UserAPIKeyAuth(api_key="litellm_proxy_master_key", user_id="default_user_id")
    assert caller_of(key).master is True
    assert caller_of(UserAPIKeyAuth(api_key="sk-other", user_id="default_user_id")).master is False


def test_a_key_is_known_by_its_hash_alone() -> None:
    caller = caller_of(UserAPIKeyAuth(api_key="a-key-of-custom-auth", user_id="ada"))
    assert caller.key is not None
    assert "a-key-of-custom-auth" not in repr(caller)


MAPPINGS = {
    "user_header_mappings": [{"header_name": "X-Employee", "litellm_user_role": "internal_user"}],
    "user_header_name": "X-Person",
}


@pytest.mark.parametrize(
    ("headers", "principal", "user"),
    [
        pytest.param({}, None, "ada", id="no such header"),
        pytest.param({"x-employee": "ada"}, SimpleNamespace(user=SimpleNamespace(id="ben")), "ben", id="replaced"),
        pytest.param({"x-employee": "ada"}, SimpleNamespace(user=None), None, id="a key without a user"),
    ],
)
def test_the_user_is_the_one_that_litellm_verified_whatever_header_replaced_it(
    headers: dict[str, str], principal: Any, user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_server, "general_settings", MAPPINGS)
    caller = caller_of(UserAPIKeyAuth(api_key="sk-1", user_id="ada"))
    assert caller.user_headers == {"x-employee", "x-person"}
    assert as_verified(caller, headers, {"principal": principal} if principal else {}) == replace(caller, user=user)


def test_a_replaced_user_whose_key_is_not_known_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_server, "general_settings", MAPPINGS)
    assert as_verified(caller_of(UserAPIKeyAuth(api_key="sk-1", user_id="ada")), {"x-employee": "ada"}, {}) == Caller()


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_master_key_is_none_so_the_command_line_serves_nobody_with_it(
    blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", blank)
    for general in ({}, {"master_key": blank}, {"master_key": "os.environ/LITELLM_MASTER_KEY"}):
        assert key_of({"general_settings": general}) is None
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-1")
    assert key_of({"general_settings": {"master_key": blank}}) == "sk-1"


@pytest.mark.parametrize(
    ("metadata", "team", "expected"),
    [
        ({}, None, (True, True, False)),
        ({"litellm_memory": {"inject": False}}, None, (False, True, False)),
        ({}, {"litellm_memory": {"remember": False}}, (True, False, False)),
        ({"litellm_memory": {"inject": "false"}}, None, (False, True, False)),
        (KEPT_OFF, None, (True, True, True)),
        ({}, KEPT_OFF, (True, True, True)),
    ],
)
def test_the_metadata_of_key_and_team_narrow_memory_on_every_route(
    metadata: dict[str, Any], team: dict[str, Any] | None, expected: tuple[bool, bool, bool]
) -> None:
    direct = caller_of(UserAPIKeyAuth(api_key="sk-1", metadata=metadata, team_metadata=team))
    relayed = caller_of_metadata(
        {"user_api_key": direct.key, "user_api_key_metadata": metadata, "user_api_key_team_metadata": team}
    )
    for caller in (direct, relayed):
        assert (caller.inject, caller.remember, caller.unlogged) == expected


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({"turn_off_message_logging": False}, {}),
        ({}, {"litellm-disable-message-redaction": "true"}),
    ],
)
@pytest.mark.parametrize("place", ["metadata", "team_metadata"])
def test_a_client_lifts_the_global_setting_only_where_its_key_or_team_allows_it(
    data: Mapping[str, Any], headers: Mapping[str, str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "turn_off_message_logging", True)
    told = [
        is_unlogged(
            data,
            headers,
            caller_of(UserAPIKeyAuth(api_key="sk-1", **{place: {"allow_client_message_redaction_opt_out": allowed}})),
        )  # type: ignore[arg-type]
        for allowed in (True, False, "true")
    ]
    assert told == [False, True, True]


def test_without_the_wrap_the_route_is_litellms_path_without_a_key() -> None:
    asked = {"proxy_server_request": {"url": "http://127.0.0.1:4000/v1beta/models/g:generateContent?key=sk-1"}}
    assert _route(asked) == "/v1beta/models/g:generateContent"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"model": "gpt,far-away"}, id="a list as text"),
        pytest.param({"model": ["gpt", "far-away"]}, id="a list"),
        pytest.param({"model": "gpt", "fallbacks": ["far-away"]}, id="a name"),
        pytest.param({"model": "gpt", "fallbacks": [{"model": "far-away"}]}, id="an object"),
        pytest.param({"model": "gpt", "fallbacks": [{"gpt": ["far-away"]}]}, id="by model"),
        pytest.param({"model": "gpt", "fallbacks": [{"gpt": [{"model": "far-away"}]}]}, id="an object by model"),
        pytest.param({"model": "gpt", "fallbacks": [{"*": ["far-away"]}]}, id="for all"),
        pytest.param({"model": "gpt", "context_window_fallbacks": [{"gpt": ["far-away"]}]}, id="a longer window"),
        pytest.param({"model": "gpt", "content_policy_fallbacks": [{"gpt": ["far-away"]}]}, id="another policy"),
        pytest.param({"model": "gpt", "context_window_fallback_dict": {"gpt": "far-away"}}, id="a table of windows"),
        pytest.param(
            {"model": "gpt", "router_settings_override": {"fallbacks": [{"gpt": ["far-away"]}]}}, id="of the key"
        ),
        pytest.param(
            {"model": "gpt", "router_settings_override": {"model_group_alias": {"gpt": "far-away"}}},
            id="an alias of the key",
        ),
    ],
)
def test_every_model_that_a_request_may_reach_is_named(data: Mapping[str, Any]) -> None:
    assert models_of(data) == ("gpt", "far-away")


@pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning")  # Of LiteLLM's router.
@pytest.mark.parametrize("asked", ["near", "hidden", "deployment-7"], ids=["an alias", "a hidden alias", "an id"])
def test_a_model_is_known_by_whatever_it_is_called(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    far = {
        "model_name": "far-away",
        "litellm_params": {"model": "openai/gpt", "api_key": "none"},
        "model_info": {"id": "deployment-7"},
    }
    aliases = {"near": "far-away", "hidden": {"model": "far-away", "hidden": True}}
    router = litellm.Router(model_list=[far], model_group_alias=aliases)  # type: ignore[arg-type]
    monkeypatch.setattr(proxy_server, "llm_router", router)
    assert models_of({"model": asked}) == (asked, "far-away")


@pytest.mark.parametrize(
    ("data", "headers", "key_says_off", "globally_off", "expected"),
    [
        ({}, {}, False, False, False),
        ({}, {}, False, True, True),
        ({"no-log": True}, {}, False, False, True),
        ({"turn_off_message_logging": "True"}, {}, False, False, True),
        ({"turn_off_message_logging": False}, {}, False, True, True),
        ({"turn_off_message_logging": False}, {}, True, False, True),
        ({}, {"x-litellm-enable-message-redaction": "true"}, False, False, True),
        ({}, {"litellm-disable-message-redaction": "true"}, False, True, True),
        ({}, {"litellm-disable-message-redaction": "true"}, True, True, True),
    ],
)
def test_what_litellm_is_told_not_to_keep_is_not_learned_from(
    data: Mapping[str, Any],
    headers: Mapping[str, str],
    key_says_off: bool,
    globally_off: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litellm, "turn_off_message_logging", globally_off)
    assert is_unlogged(data, headers, Caller(unlogged=key_says_off)) is expected
