"""What memory rests on in LiteLLM: when an upgrade breaks one of these facts, the test that fails names it."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from bed.answers import Received
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route
from litellm.constants import LITELLM_PROXY_MASTER_KEY_ALIAS
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.types_utils.utils import get_instance_fn

from litellm_memory.wire import NATIVE_CALL_TYPES
from litellm_memory.wire.recognition import PASSED_THROUGH

SECTION = {"data_dir": "somewhere", "deep": {"list": [1, 2]}}
BODY_KEYS = {"messages", "contents", "input", "prompt"}
CALL_TYPES = {*NATIVE_CALL_TYPES, *PASSED_THROUGH}
RELAY = "/azure, a model of the list"
UNLOGGED = "/gemini, stream as a JSON array"
PASS_THROUGH = ("/anthropic", "/gemini", "/openai ", "/openai_passthrough", "/azure, raw", "/vertex_ai", "custom")
FORWARDING = ("/anthropic", "/vertex_ai", "custom")


@dataclass(frozen=True, slots=True)
class Seen:
    """One route asked once, with the probe plugin in the proxy."""

    answer: httpx.Response
    received: list[Received]
    hooks: list[dict[str, Any]]

    def of(self, hook: str) -> list[dict[str, Any]]:
        """What one hook wrote down."""
        return [note for note in self.hooks if note["hook"] == hook]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the probe writes how the proxy ended."""
    return tmp_path_factory.mktemp("probe") / "ended"


@pytest.fixture(scope="module")
def probed(session_provider: Provider, ended: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM without memory, but with the probe plugin and an unknown section in its config."""
    config = {"litellm_settings": {"callbacks": ["bed.probe.probe", "bed.probe.leaf"]}, "bed_section": SECTION}
    environment = {"BED_ENDED": str(ended)}
    directory = tmp_path_factory.mktemp("probed")
    with Proxy(directory, session_provider.url, config=config, environment=environment) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=ROUTES, ids=lambda route: route.id)
def route(request: pytest.FixtureRequest) -> Route:
    """One row of the table of routes."""
    asked: Route = request.param
    return asked


@pytest.fixture(scope="module")
def seen_on(session_provider: Provider, probed: Proxy) -> dict[str, Seen]:
    """What the probe saw of each route: all are asked before the first log is waited for."""
    asked = {
        route.id: _asked(route, f"route-{number}", session_provider, probed) for number, route in enumerate(ROUTES)
    }
    return {
        name: Seen(*seen, _hooks(probed, f"route-{number}", wait_for_log=name != UNLOGGED))
        for number, (name, seen) in enumerate(asked.items())
    }


@pytest.fixture
def seen(route: Route, seen_on: Mapping[str, Seen]) -> Seen:
    """What the probe saw of this route."""
    return seen_on[route.id]


def _asked(route: Route, name: str, provider: Provider, probed: Proxy) -> tuple[httpx.Response, list[Received]]:
    """What both ends saw of a request that the probe knows by this name."""
    provider.reset()
    with httpx.Client(base_url=probed.url, timeout=60, trust_env=False, verify=False) as client:
        answer = route.send(client, ["Good morning."], key=probed.master_key, headers={"x-probe-id": name})
    return answer, [received for received in provider.take() if received.method == "POST"]


def _hooks(probed: Proxy, asked: str, *, wait_for_log: bool) -> list[dict[str, Any]]:
    """What the probe wrote down for a request; what was there after five seconds when no log comes."""
    deadline = time.monotonic() + 30
    with probed.client() as client:
        while True:
            hooks: list[dict[str, Any]] = client.get(f"/probe/seen/{asked}").json()
            logged = any(note["hook"] == "inherited log" for note in hooks)
            if logged or not wait_for_log or time.monotonic() > deadline:
                return hooks
            probed.wait_for_exit(within=0.02)


def test_the_pre_call_hook_fires_once_on_every_route_but_the_relay_of_azure(route: Route, seen: Seen) -> None:
    assert len(seen.of("pre-call")) == (0 if route.id.startswith(RELAY) else 1)


def test_the_call_type_and_the_body_are_what_memory_reads(route: Route, seen: Seen) -> None:
    for note in seen.of("pre-call"):
        assert note["call_type"] in CALL_TYPES
        assert BODY_KEYS & set(note["body_keys"])


def test_pass_through_routes_alone_give_the_pre_call_hook_no_headers(route: Route, seen: Seen) -> None:
    assert [note["headers"] for note in seen.of("pre-call") if route.id.startswith(PASS_THROUGH)] in ([], [False])
    assert [note["headers"] for note in seen.of("pre-call") if not route.id.startswith(PASS_THROUGH)] in ([], [True])


def test_the_deployment_hook_gets_a_wire_body_on_the_relay_of_azure_alone(route: Route, seen: Seen) -> None:
    wire = [note["user"] for note in seen.of("deployment") if note["json"]]
    assert wire == (["default_user_id"] if route.id.startswith(RELAY) else [])


def test_a_pre_call_hook_that_a_class_merely_inherits_is_passed_over_in_silence(seen: Seen) -> None:
    assert seen.of("inherited pre-call") == []


def test_a_context_variable_set_round_the_app_is_seen_by_the_success_log(route: Route, seen: Seen) -> None:
    if route.id == UNLOGGED:
        pytest.skip("LiteLLM fails to read such a stream and logs nothing, so memory reads the answer by itself")
    assert len(seen.of("log")) == 1


def test_a_header_added_round_the_app_reaches_the_client(seen: Seen) -> None:
    assert (seen.answer.status_code, seen.answer.headers["x-probe-wrap"]) == (200, "seen")


def test_an_answer_reaches_the_wrap_plain_or_in_gzip_and_its_header_says_which(seen: Seen) -> None:
    """LiteLLM 1.106 compresses every whole answer of 500 bytes and more, 1.108 those for its dashboard alone."""
    assert seen.answer.headers.get("content-encoding", "identity") in ("identity", "gzip")


def test_the_headers_hook_reaches_the_client_on_every_route_but_the_relay_of_azure(route: Route, seen: Seen) -> None:
    assert seen.answer.headers.get("x-probe-hook") == (None if route.id.startswith(RELAY) else "seen")


def test_only_some_pass_through_routes_forward_what_headers_the_client_sent(route: Route, seen: Seen) -> None:
    assert ["x-probe-id" in received.headers for received in seen.received] == [route.id.startswith(FORWARDING)]


def test_an_error_in_the_pre_call_hook_fails_the_request(probed: Proxy, provider: Provider) -> None:
    with probed.client() as client:
        body = {"model": "gpt", "messages": [{"role": "user", "content": "Good morning."}]}
        answer = client.post("/v1/chat/completions", json=body, headers={"x-probe-id": "failing"})
    assert answer.status_code == 500
    assert [received for received in provider.take() if received.method == "POST"] == []


def test_an_unknown_section_of_the_config_is_kept_and_the_files_path_is_known(probed: Proxy) -> None:
    with probed.client() as client:
        start = client.get("/probe/start").json()
    assert (start["section"], start["config_file"]) == (SECTION, str(probed.config_path))


def test_middleware_cannot_be_added_while_plugins_load_so_the_stack_is_wrapped(probed: Proxy) -> None:
    with probed.client() as client:
        start = client.get("/probe/start").json()
    assert start["middleware"] == "Cannot add middleware after an application has started"


def test_a_route_added_by_a_plugin_is_served_behind_litellms_own_authentication(probed: Proxy) -> None:
    with probed.client() as client, probed.client("sk-nobody") as stranger:
        caller, refused = client.get("/probe/caller").json(), stranger.get("/probe/caller")
    assert caller == {"key": LITELLM_PROXY_MASTER_KEY_ALIAS, "user": "default_user_id"}
    assert refused.status_code in (400, 401)


def test_a_packages_attribute_is_found_by_import_when_no_such_file_lies_beside_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "installed" / "bed_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("handler = object()\n")
    monkeypatch.syspath_prepend(package.parent)
    found = get_instance_fn("bed_package.handler", str(tmp_path / "config.yaml"))
    assert found is sys.modules["bed_package"].handler


def test_a_module_path_that_lies_beside_the_config_is_loaded_a_second_time_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "bed_checkout"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text("handler = object()\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = get_instance_fn("bed_checkout.plugin.handler", str(tmp_path / "config.yaml"))
    assert "bed_checkout.plugin" not in sys.modules
    assert found is not get_instance_fn("bed_checkout.plugin.handler")


@pytest.mark.parametrize(
    ("hook", "parameters"),
    [
        ("async_pre_call_hook", ["user_api_key_dict", "cache", "data", "call_type"]),
        ("async_pre_call_deployment_hook", ["kwargs", "call_type"]),
        (
            "async_post_call_response_headers_hook",
            ["data", "user_api_key_dict", "response", "request_headers", "litellm_call_info"],
        ),
        (
            "async_post_call_failure_hook",
            ["request_data", "original_exception", "user_api_key_dict", "traceback_str"],
        ),
        ("async_log_success_event", ["kwargs", "response_obj", "start_time", "end_time"]),
    ],
)
def test_the_hooks_that_memory_writes_take_these_arguments(hook: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(CustomLogger, hook)).parameters)[1:] == parameters


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("should_run_guardrail", ["data", "event_type"]),
        ("apply_guardrail", ["inputs", "request_data", "input_type", "logging_obj"]),
        ("async_pre_call_hook", ["user_api_key_dict", "cache", "data", "call_type"]),
        ("async_moderation_hook", ["data", "user_api_key_dict", "call_type"]),
    ],
)
def test_what_memory_calls_of_a_guardrail_takes_these_arguments(method: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(CustomGuardrail, method)).parameters)[1:] == parameters


# The last one of the module: it ends the proxy that the others ask.
def test_after_sigterm_the_shutdown_event_is_awaited_and_atexit_is_not(probed: Proxy, ended: Path) -> None:
    probed.stop()
    assert ended.read_text().splitlines() == ["shutdown"]
