"""What is said once is learned once, however often and through whichever client it is sent again; and by model too."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy, models_at
from bed.routes import ROUTES, Route

JSON: TypeAlias = dict[str, Any]

NUMBERS = itertools.count(1)
READS = "reader-model"
SYSTEM = "You are an agent. My name is System. We use bash for everything."
CHAT, CLAUDE, GEMINI, RESPONSES = (
    next(route for route in ROUTES if route.id == name)
    for name in ("chat to openai", "messages to anthropic", "generateContent to gemini", "responses to openai")
)


@dataclass(frozen=True)
class House:
    """A proxy that learns by model, its client's provider, and the provider of the model that reads."""

    proxy: Proxy
    provider: Provider
    reader: Provider
    client: httpx.Client
    memories: Memories
    sidecar: httpx.Client


@pytest.fixture(scope="module")
def house(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    session_provider.reset()
    learn = {"model": READS, "quiet_seconds": 0.2}
    with Provider() as reader:
        reader.answer = Answer('{"facts": []}')
        reads = {"model": "openai/gpt-4o-mini", "api_base": f"{reader.url}/v1", "api_key": "sk-reader"}
        models = [*models_at(session_provider.url), {"model_name": READS, "litellm_params": reads}]
        with (
            Proxy(
                tmp_path_factory.mktemp("once"), session_provider.url, memory={"learn": learn}, models=models
            ) as proxy,
            proxy.client() as client,
            proxy.sidecar() as sidecar,
        ):
            memories = Memories(proxy, sidecar)
            memories.wait_until_ready()
            yield House(proxy, session_provider, reader, client, memories, sidecar)


@pytest.fixture
def user() -> str:
    return f"person-{next(NUMBERS)}"


def say(
    house: House, user: str, route: Route, *conversation: str, session: str = "one", **headers: str
) -> httpx.Response:
    sent = {"x-memory-user-id": user, "x-session-id": session, **headers}
    answer = route.send(house.client, conversation, key=house.proxy.master_key, headers=sent)
    assert answer.status_code == 200, answer.text
    return answer


def learned(house: House, user: str) -> list[str]:
    """What is kept of a user, once all that was said before this call is learned."""
    last = f"My locker number is {next(NUMBERS)}."
    say(house, user, CHAT, last, session="last")
    kept = house.memories.wait_for(user, lambda memories: bool(mentioning(memories, last)), within=20)
    return sorted(memory["text"] for memory in kept if memory["text"] != last)


FACT, TASK = "I live in Leeds.", "Please refactor the login handler so that it uses the new session store."
TOLD = (FACT, "Noted: I'll remember that I live in Leeds.", TASK)


@pytest.mark.parametrize("route", [CHAT, CLAUDE, GEMINI, RESPONSES], ids=lambda route: route.id)
def test_a_history_sent_again_makes_no_second_memory(house: House, user: str, route: Route) -> None:
    """Sent again as it is, resumed under another session, and forked by another last message."""
    house.provider.answer = Answer(TOLD[1])
    say(house, user, route, TOLD[0])
    for session in ("one", "two"):
        for _ in range(6):
            say(house, user, route, *TOLD, session=session)
    say(house, user, route, *TOLD[:2], "And what about tea?")
    assert learned(house, user) == sorted([FACT, TASK])


def test_fifty_times_through_two_clients_is_once(house: House, user: str) -> None:
    house.provider.answer = Answer("Done.")
    agents = {CHAT.id: "OpenAI/Python 2.0", CLAUDE.id: "claude-cli/2.1.0 (external, cli)"}
    for _ in range(25):
        for route in (CHAT, CLAUDE):
            say(house, user, route, *TOLD, **{"user-agent": agents[route.id]})
    assert learned(house, user) == [TASK]


def test_neither_our_block_nor_system_nor_tools_are_learned(house: House, user: str) -> None:
    """A client that sends back what the provider was given, block and all, in an agent's loop."""
    house.provider.answer = Answer("I'll remember that you live in Leeds.")
    say(house, user, CHAT, FACT)
    learned(house, user)
    house.provider.take()
    say(house, user, CHAT, "Where do I live, and is it far from Leeds to York?", session="two")
    given = house.provider.take()[-1].body["messages"][-1]
    assert "<memory" in json.dumps(given)
    call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    loop = [
        {"role": "system", "content": SYSTEM},
        given,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "My name is Tool. We use tools. Remember that I am a tool."},
    ]
    headers = {"x-memory-user-id": user, "x-session-id": "three"}
    for _ in range(3):
        house.client.post("/v1/chat/completions", json={"model": "gpt", "messages": loop}, headers=headers)
        house.client.post("/v1/chat/completions", json={"model": "gpt", "messages": loop[:2]}, headers=headers)
    texts = learned(house, user)
    assert texts.count(FACT) == 1
    assert [text for text in texts if re.search(r"<memory|<entry|Tool|tools|System|bash", text)] == []


def test_a_compacted_conversation_is_not_learned_from_its_summary(house: House, user: str) -> None:
    house.provider.answer = Answer("Done.")
    agent = {"user-agent": "claude-cli/2.1.0 (external, cli)"}
    say(house, user, CLAUDE, *TOLD, **agent)
    ask = "Your task is to create a detailed summary of the conversation so far. My name is Summary."
    say(house, user, CLAUDE, *TOLD, "Done.", ask, **agent)
    summary = (
        "This session is being continued from a previous conversation that ran out of context. I live in a summary."
    )
    say(house, user, CLAUDE, summary, "Done.", "Our staging host is called otter-3.", **agent)
    assert learned(house, user) == sorted([TASK, "Our staging host is called otter-3."])


# --- by model, through LiteLLM's own router ---

STRANGE = "Well, as for where home is: Leeds, and has been so for ever."


def test_a_model_of_the_router_reads_what_went_quiet(house: House, user: str) -> None:
    fact = {"message": 1, "kind": "fact", "text": "Home is Leeds.", "about_person": True}
    house.memories.add("I keep bees.", user=user)
    house.reader.take()
    house.reader.answer = Answer(json.dumps({"facts": [fact, {**fact, "text": "I own a yacht."}]}))
    call = say(house, user, CHAT, STRANGE).headers["x-memory-trace"]
    house.memories.wait_for(user, lambda memories: bool(mentioning(memories, "Home is Leeds.")), within=20)
    house.reader.answer = Answer('{"facts": []}')
    asked = [request for request in house.reader.take() if STRANGE in json.dumps(request.body)]
    assert len(asked) == 1
    body = asked[0].body
    assert body["response_format"]["json_schema"]["strict"] is True
    assert "<memory" not in json.dumps(body)
    assert [memory["text"] for memory in house.memories.of(user) if memory["origin"]["role"] == "assistant"] == []
    trace = house.sidecar.get(f"/v1/traces/{call}").json()
    told = {(row["what"], row["reason"], row["text"]) for row in trace["learned"]}
    assert ("kept", "by model", "Home is Leeds.") in told
    assert ("dropped", "by model: the person did not say so", None) in told


def test_what_the_model_costs_is_told(house: House, user: str) -> None:
    say(house, user, CHAT, STRANGE)
    house.reader.wait_for(1, within=20)
    learned(house, user)
    rows = house.sidecar.get("/v1/usage", params={"by": ["client", "model"]}).json()["data"]
    [spent] = [row for row in rows if row["client"] == "litellm-memory"]
    assert spent["model"] == READS
    assert spent["calls"] > 0
    assert spent["input_tokens"] > 0
    # Its own calls are nobody's words: no trace knows them.
    models = Counter(row["model"] for row in house.sidecar.get("/v1/traces").json()["data"])
    assert READS not in models


def test_a_switched_off_message_never_reaches_the_model(house: House, user: str) -> None:
    house.reader.take()
    say(house, user, CHAT, f"{STRANGE} Unlogged.", **{"x-memory-store": "false"})
    learned(house, user)
    house.reader.wait_for(1, within=20)
    assert [request for request in house.reader.take() if "Unlogged" in json.dumps(request.body)] == []
