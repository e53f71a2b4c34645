"""Memory behind guardrails: it learns what they let through, as they let it through, and gives nothing else."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer
from bed.guards import FORBIDDEN, NAME, configured
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route
from bed.sinks import Sink
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.hooks import PROXY_HOOKS
from litellm.proxy.hooks.prompt_injection_detection import _OPTIONAL_PromptInjectionDetection
from litellm.types.guardrails import GuardrailEventHooks

from litellm_memory.care.why import REFUSED
from litellm_memory.hooks.guardrails import REFUSED_SECONDS, Guardrails, _changes
from litellm_memory.hooks.handler import MemoryHandler

JSON: TypeAlias = dict[str, Any]

FACT = f"My sister {NAME} plays the cello in Graz."
QUESTION = "Which instrument does my sister play in Graz?"
AFTER = "My brother collects stamps from Norway."
"""What is told after a message that must teach nothing: once this is learned, that one would be too."""

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy with a guardrail listed before memory, and several behind it; a request names those that it meets."""
    session_provider.reset()
    listed = ["bed.guards.early", "litellm_memory.handler"]
    config = {"litellm_settings": {"callbacks": listed}, "guardrails": configured()}
    with Proxy(tmp_path_factory.mktemp("guards"), session_provider.url, memory={}, config=config) as proxy:
        with proxy.sidecar() as sidecar:
            Memories(proxy, sidecar).wait_until_ready()
        yield proxy


@pytest.fixture
def client(proxy: Proxy, provider: Provider) -> Iterator[httpx.Client]:
    with proxy.client() as client:
        yield client


@pytest.fixture(scope="module")
def memories(proxy: Proxy) -> Iterator[Memories]:
    with proxy.sidecar() as sidecar:
        yield Memories(proxy, sidecar)


@pytest.fixture
def user() -> str:
    return f"guarded-{next(_numbers)}"


def say(client: httpx.Client, user: str, *said: str, guardrails: Sequence[str] = (), **more: Any) -> httpx.Response:
    roles = itertools.cycle(("user", "assistant"))
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
    body = {"model": "gpt", "messages": messages, **({"guardrails": list(guardrails)} if guardrails else {}), **more}
    return client.post("/v1/chat/completions", json=body, headers={"x-memory-user-id": user})


def texts(found: Sequence[JSON]) -> str:
    return repr(found)


def asked(provider: Provider) -> list[str]:
    """The newest message of each request that reached the provider."""
    return [repr(received.body["messages"][-1]["content"]) for received in provider.take() if received.method == "POST"]


# --- what is learned ---


@pytest.mark.parametrize("guardrail", ["mask", "restore", "early"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_guardrail_masks_is_learned_masked_whatever_it_is_listed_behind(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, guardrail: str, stream: bool
) -> None:
    say(client, user, FACT, guardrails=[guardrail], stream=stream)
    found = memories.wait_for(user, lambda found: bool(mentioning(found, "cello")))
    assert (NAME in texts(found), "<PERSON" in texts(found)) == (False, True)
    assert NAME not in asked(provider)[0]


GUARDED = [
    route
    for route in ROUTES
    if route.id in ("responses to openai", "responses to anthropic, stream", "messages to anthropic, stream")
]


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.id)
def test_what_is_masked_in_any_format_is_learned_masked(
    client: httpx.Client, proxy: Proxy, provider: Provider, memories: Memories, user: str, route: Route
) -> None:
    body = {**route.body([FACT]), "guardrails": ["mask"]}
    headers = {**route.headers(proxy.master_key), "x-memory-user-id": user}
    assert client.post(route.path, json=body, headers=headers).status_code == 200
    found = memories.wait_for(user, lambda found: bool(mentioning(found, "cello")))
    assert (NAME in texts(found), "<PERSON>" in texts(found)) == (False, True)


def test_an_answer_is_kept_as_masked_where_a_guardrail_puts_the_real_words_back(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    provider.answer = Answer("<PERSON_00000000> is a fine name for a cellist.")
    answer = say(client, user, FACT, guardrails=["restore"])
    assert NAME in answer.text
    [kept] = mentioning(memories.wait_for(user, lambda found: bool(mentioning(found, "cello"))), "cello")
    assert NAME not in texts([kept])
    assert "fine name for a cellist" in shown(memories, kept)
    assert NAME not in shown(memories, kept)


def shown(memories: Memories, memory: JSON) -> str:
    return str(memories.search("cello in Graz", user=memory["user"])) + str(memory)


@pytest.mark.parametrize("guardrail", ["refuse-before", "refuse-during", "refuse-after"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_request_teaches_nothing(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, guardrail: str, stream: bool
) -> None:
    refused = say(client, user, f"My cousin builds a {FORBIDDEN} in Linz.", guardrails=[guardrail], stream=stream)
    assert refused.status_code != 200 or "refused by the bed" in refused.text
    say(client, user, AFTER)
    found = memories.wait_for(user, lambda found: bool(mentioning(found, "stamps")))
    assert FORBIDDEN not in texts(found)


def test_words_that_no_guardrail_touches_are_learned_with_their_answer(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    say(client, user, AFTER, guardrails=["mask", "refuse-before", "refuse-during"])
    assert mentioning(memories.wait_for(user, lambda found: bool(found)), "stamps from Norway")


# --- what is given ---


@pytest.mark.parametrize("guardrail", ["refuse-before", "refuse-during"])
def test_a_guardrail_that_hits_a_memory_takes_the_memory_out_and_not_the_request_down(
    client: httpx.Client, provider: Provider, memories: Memories, user: str, guardrail: str
) -> None:
    memories.add("My sister plays the cello in Graz.", user=user)
    memories.add(f"The cello in Graz of my sister has a {FORBIDDEN} on it.", user=user)
    answer = say(client, user, QUESTION, guardrails=[guardrail])
    assert (answer.status_code, answer.headers["x-memory-count"]) == (200, "1")
    [given] = asked(provider)
    assert ("plays the cello" in given, FORBIDDEN in given) == (True, False)


def test_a_block_that_was_given_before_is_given_without_what_a_guardrail_now_refuses(
    client: httpx.Client, proxy: Proxy, provider: Provider, memories: Memories, user: str
) -> None:
    kept = memories.add(f"The cello in Graz of my sister has a {FORBIDDEN} on it.", user=user)
    say(client, user, QUESTION)
    assert FORBIDDEN in asked(provider)[0]
    answer = say(client, user, QUESTION, "The cello.", "Since when?", guardrails=["refuse-before"])
    assert answer.status_code == 200
    assert FORBIDDEN not in repr([received.body for received in provider.take()])
    with proxy.sidecar() as sidecar:
        told = sidecar.get(f"/v1/traces/{answer.headers['x-memory-trace']}", params={"memory": kept["id"]}).json()
    assert (told["refused"], told["carried"]) == ([kept["id"]], [])
    assert f"One memory of earlier blocks stayed out: {REFUSED}." in told["why"]


def test_a_memory_is_given_masked_where_the_request_meets_a_masking_guardrail(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add(f"{NAME}, my sister, plays the cello in Graz.", user=user)
    say(client, user, QUESTION, guardrails=["early"])
    [given] = asked(provider)
    assert (NAME in given, "plays the cello" in given) == (False, True)


def test_random_placeholders_do_not_break_replay(
    client: httpx.Client, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add("My sister plays the cello in Graz.", user=user)
    question = f"Which instrument does my sister {NAME} play in Graz?"
    first = say(client, user, question, guardrails=["early"])
    again = say(client, user, question, "The cello.", "Thanks!", guardrails=["early"])
    assert (first.headers["x-memory-status"], again.headers["x-memory-status"]) == ("injected", "replayed")
    before, after = (received.body["messages"][0]["content"] for received in provider.take())
    assert before.partition("</memory>")[0] == after.partition("</memory>")[0]


def test_with_guardrails_off_each_decides_about_the_request_with_its_memories(
    client: httpx.Client, proxy: Proxy, provider: Provider, memories: Memories, user: str
) -> None:
    memories.add(f"The cello in Graz of my sister has a {FORBIDDEN} on it.", user=user)

    def asked_with(setting: str) -> Callable[[], bool]:
        recall = {**proxy.config["litellm_memory"].get("recall", {}), "guardrails": setting}
        proxy.write_config({**proxy.config, "litellm_memory": {**proxy.config["litellm_memory"], "recall": recall}})
        expected = (False, True) if setting == "off" else (True, False)

        def holds() -> bool:
            answer = say(client, user, f"{QUESTION} {next(_numbers)}", guardrails=["refuse-before"])
            return (answer.status_code == 200, "refused by the bed" in answer.text) == expected

        return holds

    before = dict(proxy.config)
    try:
        assert wait_for(asked_with("off"))
        assert wait_for(asked_with("auto"))
    finally:
        proxy.write_config(before)


def wait_for(true: Callable[[], bool]) -> bool:
    """Asks again until a changed config holds."""
    deadline = time.monotonic() + 15
    while not (held := true()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return held


class Counting(CustomGuardrail):
    """Tells what it is asked, and refuses what has its word."""

    def __init__(self, asked: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(guardrail_name="counting", event_hook=GuardrailEventHooks.pre_call, default_on=True)
        self.word, self._asked = "thunder", asked

    async def apply_guardrail(self, inputs: Any, request_data: Any, input_type: str, logging_obj: Any = None) -> Any:
        """LiteLLM's own way."""
        self._asked(inputs["texts"][0])
        if self.word in inputs["texts"][0]:
            raise ValueError("refused by the bed")
        return inputs


async def test_a_guardrail_is_asked_once_about_a_text_until_its_configuration_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    guardrail = Counting(asked.append)
    guardrails, data, now = Guardrails(), {"model": "gpt", "metadata": {}}, time.monotonic()
    screen = guardrails.screen([guardrail], data, UserAPIKeyAuth(), seconds=5)
    assert screen is not None
    told = [await screen(text) for text in ("a cello", "a cello", "a thunder", "a thunder")]
    assert (told, asked) == (["a cello", "a cello", None, None], ["a cello", "a thunder"])
    guardrail.word = "cello"
    assert (await screen("a cello"), len(asked)) == (None, 3)
    monkeypatch.setattr("time.monotonic", lambda: now + 2 * REFUSED_SECONDS)
    assert (await screen("a cello"), len(asked)) == (None, 4)  # Its service may have been away.


async def test_a_guardrail_that_does_not_answer_in_time_lets_no_memory_through_until_it_has() -> None:
    class Slow(Counting):
        async def apply_guardrail(self, inputs: Any, *given: Any, **named: Any) -> Any:
            await answered.wait()
            return inputs

    answered, guardrails = asyncio.Event(), Guardrails()
    screen = guardrails.screen([Slow()], {"model": "gpt", "metadata": {}}, UserAPIKeyAuth(), seconds=0.05)
    assert screen is not None
    assert await screen("a cello") is None
    answered.set()
    assert await screen("a cello") == "a cello"


def test_what_counts_as_a_guardrail_is_nothing_that_litellm_always_has() -> None:
    always = [hook for hook in PROXY_HOOKS.values() if _changes(hook)]
    assert (always, _changes(MemoryHandler), _changes(Sink)) == ([], False, False)
    assert [_changes(kind) for kind in (_OPTIONAL_PromptInjectionDetection, Refuser)] == [True, True]


class Refuser(CustomLogger):
    """An operator's own callback, which is no guardrail by name."""

    async def async_pre_call_hook(self, *given: Any, **named: Any) -> None:
        """Refuses."""
        raise ValueError


# The last one of the module: all the others have told the name by now.
def test_no_file_has_a_word_that_was_masked(proxy: Proxy, memories: Memories) -> None:
    told = FACT.encode()
    names = [path for path in (proxy.directory / "memory").rglob("*") if path.is_file() and told in path.read_bytes()]
    assert names == []
