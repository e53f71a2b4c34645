"""What LiteLLM's loggers get of a request with memory: the client's own, whichever way it went and however it ended.
And what is told when LiteLLM's list of callbacks changes, from which it calls its loggers and memory.

LiteLLM's spend rows are tried at what its own writer makes of them; not run on a database, whose engine is not at hand.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer, Received
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route
from bed.sinks import SINKS
from litellm import ModelResponse
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils.litellm_logging import Logging

from litellm_memory.hooks.listed import FULL, GONE, TWICE, trouble
from litellm_memory.hooks.logs import HANDLERS, Unlogged
from litellm_memory.request.outcome import Injection, Outcome
from litellm_memory.settings import SidecarSettings
from litellm_memory.setup.checks import Finding, _sidecar
from litellm_memory.wire.content import CARRIERS

JSON: TypeAlias = dict[str, Any]

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
SECRET = "cello in Graz"
SILENT = "/gemini, stream as a JSON array"
"""LiteLLM fails to read such a stream, and logs nothing."""
RELAY = "/azure, a model of the list"
"""LiteLLM keeps no record of the client's request there."""
PASSED_ON = ("/anthropic", "/gemini", "/openai", "/azure", "/vertex_ai", "/bedrock", "custom")
NATIVE = [route for route in ROUTES if not route.id.startswith(PASSED_ON)]


class Logged:
    """What the sinks were handed, told apart by a word of the request."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, word: str) -> list[JSON]:
        """What was written of the requests that have ``word`` in them."""
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        read = (json.loads(line) for line in lines if word in line and line.endswith("\n"))
        return [line for line in read if any(word in text for text in line["strings"])]

    def wait(self, word: str, sinks: set[str]) -> list[JSON]:
        """The same, as soon as each of these sinks has written."""
        deadline = time.monotonic() + 30
        while True:
            found = self.of(word)
            if sinks <= {line["sink"] for line in found}:
                return found
            assert time.monotonic() < deadline, sorted(line["sink"] for line in found)
            time.sleep(0.02)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    path = tmp_path_factory.mktemp("logged") / "sinks"
    path.touch()
    return Logged(path)


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, logged: Logged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy with sinks before and behind memory, in a thread, and told of failures by the proxy itself."""
    session_provider.reset()
    listed = ["bed.sinks.before", "litellm_memory.handler", "bed.sinks.behind", "bed.sinks.failures", "bed.edits.edits"]
    threads = {name: ["bed.sinks.in_a_thread"] for name in ("success_callback", "failure_callback")}
    config = {
        "litellm_settings": {"callbacks": listed, **threads},
        "general_settings": {"store_prompts_in_spend_logs": True},
    }
    environment = {SINKS: str(logged._path)}
    directory = tmp_path_factory.mktemp("logs")
    with Proxy(directory, session_provider.url, memory={}, config=config, environment=environment) as proxy:
        with proxy.sidecar() as sidecar:
            memories = Memories(proxy, sidecar)
            memories.wait_until_ready()
            memories.add(MEMORY, user="anna")
        yield proxy


@pytest.fixture
def client(proxy: Proxy, provider: Provider) -> Iterator[httpx.Client]:
    with proxy.client() as client:
        yield client


def ask(client: httpx.Client, proxy: Proxy, route: Route, words: str) -> httpx.Response:
    return route.send(client, [words], key=proxy.master_key, headers={"x-memory-user-id": "anna"})


def given(provider: Provider) -> list[Received]:
    """The requests with the memory that reached the provider."""
    return [received for received in provider.take() if SECRET in received.raw.decode()]


def leaks(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(line["sink"], text) for line in lines for text in line["strings"] if SECRET in text]


@pytest.fixture(scope="module")
def answered(proxy: Proxy, session_provider: Provider) -> dict[str, tuple[str, httpx.Response, int]]:
    """Each route asked before the first log is waited for: the words, the answer, how often the memory was given."""
    session_provider.reset()

    def once(client: httpx.Client, route: Route) -> tuple[str, httpx.Response, int]:
        words = f"{QUESTION} answered-{ROUTES.index(route)}-"
        return words, ask(client, proxy, route, words), len(given(session_provider))

    with proxy.client() as client:
        return {route.id: once(client, route) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.id)
def test_sinks_get_an_answered_request_as_the_client_sent_it_in_any_format(
    answered: Mapping[str, tuple[str, httpx.Response, int]], logged: Logged, route: Route
) -> None:
    words, answer, times = answered[route.id]
    word = words.split()[-1]
    assert (answer.status_code, times) == (200, 1)
    if route.id == SILENT:
        return
    lines = logged.wait(word, {"Before", "Behind"} if route.id.startswith(RELAY) else {"Before", "Behind", "spend row"})
    assert leaks(lines) == []
    told = [line["marker"] for line in lines if line["sink"] in ("Before", "Behind")]
    assert told == [{"memories": 1, "trace": answer.headers["x-memory-trace"]}] * len(told)
    if route in NATIVE:
        sent = {key: value for key, value in route.body([words]).items() if key in CARRIERS}
        [kept] = [line["body"] for line in lines if line["sink"] == "Before"]
        assert {key: kept[key] for key in sent} == sent


@pytest.mark.parametrize("route", [one for one in NATIVE if not one.stream][::3], ids=lambda route: route.id)
def test_no_sink_gets_a_block_of_a_failed_request_wherever_it_is_listed(
    client: httpx.Client, proxy: Proxy, provider: Provider, logged: Logged, route: Route
) -> None:
    word = f"failed-{ROUTES.index(route)}-"
    provider.script(*[Answer(status=400)] * 8)
    answer = ask(client, proxy, route, f"{QUESTION} {word}")
    assert (answer.status_code, bool(given(provider))) == (400, True)
    lines = logged.wait(word, {"Before", "Behind", "function", "failure row"})
    assert leaks(lines) == []


OTHERS = [route for route in ROUTES if route not in NATIVE or route.stream]


@pytest.mark.long
@pytest.mark.parametrize("route", OTHERS, ids=lambda route: route.id)
def test_no_sink_gets_a_block_of_a_failed_request_that_streams_or_is_passed_on(
    client: httpx.Client, proxy: Proxy, provider: Provider, logged: Logged, route: Route
) -> None:
    """LiteLLM does not tell every sink of such a failure; a request that follows tells that all were told."""
    word = f"failed-{ROUTES.index(route)}-"
    provider.script(*[Answer(status=400)] * 8)
    ask(client, proxy, route, f"{QUESTION} {word}")  # A stream may tell of it after status 200.
    assert given(provider) != []
    provider.reset()
    ask(client, proxy, ROUTES[0], f"after-{word}")
    logged.wait(f"after-{word}", {"Before", "Behind"})
    assert leaks(logged.of(word)) == []


@pytest.mark.parametrize(
    ("name", "failing", "fields"),
    [
        ("retried", 1, {"num_retries": 2}),
        ("given up", 6, {"num_retries": 2}),
        ("to two models at once", 0, {"model": "gpt,claude"}),
        ("falling back", 1, {"num_retries": 0, "fallbacks": ["claude"]}),
        ("too late", 0, {"timeout": 0.0001}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_sink_gets_a_block_of_a_request_that_takes_several_calls(
    client: httpx.Client, provider: Provider, logged: Logged, name: str, failing: int, fields: Mapping[str, Any]
) -> None:
    word = f"several-{name.replace(' ', '-')}-"
    provider.script(*[Answer(status=500)] * failing)
    body = {"model": "gpt", "messages": [{"role": "user", "content": f"{QUESTION} {word}"}], **fields}
    answer = client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": "anna"})
    provider.reset()
    assert answer.headers["x-memory-status"] == "injected"
    assert leaks(logged.wait(word, {"Before", "Behind"})) == []


class Meddling(CustomLogger):
    """Changes the common record while one call is logged, as another call of a request to several models does."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__()
        self._write = write

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Between two sinks."""
        self._write()


class Keeping(CustomLogger):
    """Looks at what it was handed only when all is over, as loggers do that send in batches."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that succeeded."""
        self.kept.append(kwargs)


@pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning")  # Of LiteLLM's types.
@pytest.mark.parametrize("long", [False, True], ids=["read at once", "read in a thread"])
async def test_what_another_call_writes_into_the_common_record_is_in_no_log_of_this_one(long: bool) -> None:
    sent = [
        {"role": "user", "content": f"{BLOCK}\n\n{QUESTION}"},
        *[{"role": "user", "content": "More."}] * 2000 * long,
    ]
    keeping = [Keeping(), Keeping()]
    logging = watched(sent, [keeping[0], Meddling(lambda: write(logging, sent)), keeping[1]])
    write(logging, sent)
    await logging.async_success_handler(ModelResponse())
    write(logging, sent)
    common = logging.model_call_details
    assert [SECRET in json.dumps(common[key]) for key in ("messages", "input", "optional_params")] == [True] * 3
    assert [SECRET in json.dumps(one.kept, default=str) for one in keeping] == [False] * 2
    assert common["litellm_params"]["metadata"] == {"raw_request": BLOCK}
    # What LiteLLM tells by is where it looks: a call that was logged is not logged again.
    await logging.async_success_handler(ModelResponse())
    assert [len(one.kept) for one in keeping] == [1, 1]


@pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning")  # Of LiteLLM's types.
async def test_a_copy_of_litellms_record_is_logged_as_itself_and_without_blocks() -> None:
    sent, keeping = [{"role": "user", "content": f"{BLOCK}\n\n{QUESTION}"}], Keeping()
    attempt = copy.copy(watched(sent, [keeping]))
    attempt.model_call_details = dict(attempt.model_call_details)
    write(attempt, sent, user="another")
    await attempt.async_success_handler(ModelResponse())
    [logged] = keeping.kept
    assert (logged["user"], logged["messages"]) == ("another", [{"role": "user", "content": QUESTION}])
    assert copy.deepcopy(logged) == logged


BLOCK = f'<memory note="Data.">\n- {MEMORY}\n</memory>'


def watched(sent: Sequence[JSON], loggers: Sequence[CustomLogger]) -> Logging:
    """LiteLLM's logging object of a call with a block."""
    logging = Logging("gpt", list(sent), False, "acompletion", datetime.now(), "1", "1", kwargs={})
    logging.dynamic_async_success_callbacks = [*loggers]
    place = ("messages", 0, "content")
    outcome = Outcome(Injection("injected", "", {"messages": sent}, count=1, block=BLOCK, placed=((place, BLOCK),)))
    Unlogged(outcome, trace="t").watch({"litellm_logging_obj": logging})
    return logging


def write(logging: Logging, sent: Sequence[JSON], user: str = "anna") -> None:
    """What each call writes: the fields anew, and into the dicts that are there."""
    details = logging.model_call_details
    held = details.get("litellm_params") or {}
    for there in (details.get("optional_params"), held, held.get("metadata")):
        if isinstance(there, dict):
            there["in_place"] = BLOCK
    params = {"metadata": {"raw_request": BLOCK}}
    logging.update_environment_variables(params, {"system": BLOCK}, model="gpt", user=user)
    logging.pre_call(sent, "key", additional_args={"complete_input_dict": {"messages": sent}})


def test_no_sink_gets_a_block_of_a_stream_that_the_client_left(
    client: httpx.Client, provider: Provider, logged: Logged
) -> None:
    [route] = [route for route in ROUTES if route.id == "chat to openai, stream"]
    body = route.body([f"{QUESTION} left-early-"])
    with client.stream("POST", route.path, json=body, headers={"x-memory-user-id": "anna"}) as answer:
        next(answer.iter_lines())
    assert len(given(provider)) == 1
    assert leaks(logged.wait("left-early-", {"Before", "Behind"})) == []


def test_the_blocks_of_earlier_messages_stay_out_as_well(
    client: httpx.Client, proxy: Proxy, provider: Provider, logged: Logged
) -> None:
    [route] = [route for route in ROUTES if route.id == "messages to openai, stream"]
    said = [f"{QUESTION} earlier-word", "The cello.", "And where does she live? earlier-more"]
    headers = {"x-memory-user-id": "anna"}
    for conversation in (said[:1], said):
        route.send(client, conversation, key=proxy.master_key, headers=headers)
    assert len(given(provider)) == 2
    lines = logged.wait("earlier-more", {"Before", "Behind", "spend row"})
    assert leaks(lines) == []


def test_blocks_are_logged_where_the_operator_wants_them(
    client: httpx.Client, proxy: Proxy, provider: Provider, logged: Logged
) -> None:
    before, numbers = dict(proxy.config), itertools.count()

    def asked() -> list[JSON]:
        word = f"debugging-{next(numbers)}-"
        ask(client, proxy, ROUTES[0], f"{QUESTION} {word}")
        return logged.wait(word, {"Before", "Behind", "spend row"})

    proxy.write_config({**before, "litellm_memory": {**before["litellm_memory"], "logs": {"blocks": "keep"}}})
    try:
        assert wait_for(lambda: {sink for sink, _ in leaks(asked())} == {"Before", "Behind", "spend row"})
    finally:
        proxy.write_config(before)
    assert wait_for(lambda: leaks(asked()) == [])


def wait_for(true: Callable[[], bool]) -> bool:
    """Asks again until a changed config holds."""
    deadline = time.monotonic() + 15
    while not (held := true()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return held


def test_every_log_of_litellm_begins_in_a_method_that_memory_wraps() -> None:
    assert [name for name in HANDLERS if not callable(getattr(Logging, name, None))] == []


# --- the list of callbacks: edits in LiteLLM's UI and from its database are made at that list: not run on one ---


def test_a_config_that_is_read_again_gives_a_request_no_second_block(
    client: httpx.Client, proxy: Proxy, provider: Provider
) -> None:
    counted = [client.post("/bed/callbacks/reloaded").json() for _ in range(20)][-1]
    assert counted["callbacks"] > 1
    answer = ask(client, proxy, ROUTES[0], f"{QUESTION} reloaded-")
    [given_once] = given(provider)
    assert (answer.headers["x-memory-status"], given_once.raw.decode().count(SECRET)) == ("injected", 1)


MAY_GROW = {"threads": 3, "files": 8, "processes": 0, "megabytes": 24}
"""From the middle of a soak to its end. LiteLLM itself starts threads and opens connections as they are needed."""


@pytest.mark.parametrize("rounds", [20, pytest.param(300, marks=pytest.mark.long)])
def test_callbacks_that_are_edited_while_configs_are_read_again_leak_and_double_nothing(
    client: httpx.Client, proxy: Proxy, provider: Provider, rounds: int
) -> None:
    held = []
    for number in range(rounds):
        client.post("/bed/callbacks/edited").raise_for_status()
        if number % 10 == 9:
            proxy.write_config(proxy.config)  # Memory reads its section again.
            # Not kept, or thirty of the same question would fill the block in place of its answer.
            headers = {"x-memory-user-id": "anna", "x-memory-store": "false"}
            said = [f"{QUESTION} soak-{rounds}-{number}"]
            answer = ROUTES[0].send(client, said, key=proxy.master_key, headers=headers)
            blocks = [one.raw.decode().count(SECRET) for one in given(provider)]
            assert (answer.status_code, answer.headers["x-memory-status"], blocks) == (200, "injected", [1]), (
                answer.text
            )
            held.append(client.get("/bed/process").json())
    grown = {name: held[-1][name] - held[len(held) // 2 - 1][name] for name in MAY_GROW}
    assert {name: by for name, by in grown.items() if by > MAY_GROW[name]} == {}, held
    with proxy.sidecar() as sidecar:
        memories, user = Memories(proxy, sidecar), f"soaked-{rounds}"
        said = [f"My brother collects stamps from Norway, {rounds} of them."]
        ROUTES[0].send(client, said, key=proxy.master_key, headers={"x-memory-user-id": user})
        found = memories.wait_for(user, lambda found: bool(mentioning(found, "stamps")))
    assert len(mentioning(found, "stamps")) == 1


@pytest.mark.parametrize(("edit", "why"), [("replaced", GONE), ("doubled", TWICE), ("filled", FULL)])
def test_ready_the_metric_check_and_the_log_tell_that_litellm_does_not_call_memory_as_it_should(
    client: httpx.Client, proxy: Proxy, edit: str, why: str
) -> None:
    with proxy.sidecar() as sidecar:

        def told() -> tuple[int, str | None]:
            answer = sidecar.get("/ready")
            return answer.status_code, answer.json()["problems"].get("callbacks")

        def away() -> str:
            return next(line for line in sidecar.get("/metrics").text.splitlines() if 'part="callbacks"' in line)[-3:]

        assert (told(), away()) == ((200, None), "0.0")
        again = proxy.log.count("LiteLLM calls memory again.")
        client.post(f"/bed/callbacks/{edit}")
        assert wait_for(lambda: told() == (503, why))
        assert away() == "1.0"
        found = asyncio.run(_sidecar(SidecarSettings(port=proxy.sidecar_port)))
        assert Finding("error", why, "docs/troubleshooting.md") in found
        client.post("/bed/callbacks/restored")
        assert wait_for(lambda: told() == (200, None))
    assert (proxy.log.count(why), proxy.log.count("LiteLLM calls memory again.")) == (1, again + 1)


class MemoryHandler(CustomLogger):
    """Has the name of memory's own class, as the one of another copy of the package."""


@pytest.mark.parametrize(
    ("callbacks", "loggers", "sentence"),
    [
        (["ours"], ["ours"], None),
        (["other", "ours", "ours"], ["ours"], None),
        (["other"], ["other"], GONE),
        (["other"] * 4, ["other"] * 4, FULL),
        (["ours"], ["other"] * 4, FULL),
        (["ours", "copy"], ["ours"], TWICE),
        (["copy"], ["copy"], TWICE),
    ],
)
def test_what_became_of_memory_in_litellms_lists_is_told(
    callbacks: list[str], loggers: list[str], sentence: str | None
) -> None:
    known = {"ours": MemoryHandler(), "copy": MemoryHandler(), "other": CustomLogger()}
    lists = [[known[name] for name in names] for names in (callbacks, loggers)]
    assert trouble(known["ours"], *lists, most=4) == sentence
