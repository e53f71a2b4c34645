"""Something breaks: the client gets the answer that it gets without memory, and memory comes back when it is over."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from bed.compare import steady
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route

from litellm_memory.engine import Engine
from litellm_memory.files.address import read_record
from litellm_memory.settings import Settings

if TYPE_CHECKING:
    from litellm_memory.hooks.handler import MemoryHandler

Answer: TypeAlias = tuple[int, bytes]
"""The status and the steady body of a response."""

MEMORY = "My sister Anna plays the cello in Graz."
QUESTION = "Which instrument does my sister Anna play?"
DEADLINE_MS = 2000
FORMATS = (
    "chat to openai",
    "chat to openai, stream",
    "completions to openai",
    "responses to openai",
    "responses to openai, stream",
    "messages to anthropic",
    "messages to anthropic, stream",
    "generateContent to gemini",
    "generateContent to gemini, stream",
    "/anthropic",
    "/anthropic, stream",
    "/gemini",
    "/gemini, stream",
    "/openai chat",
    "/azure, a model of the list",
    "/bedrock converse",
    "/bedrock converse, stream",
)
PATHS = tuple(route for route in ROUTES if route.id in FORMATS)
PLAIN = tuple(route for route in PATHS if not route.stream)


# --- the proxies ---


@dataclass(frozen=True, slots=True)
class Proxies:
    """Proxies that were started together: without memory, with faults that a test switches on, and broken before."""

    bare: Proxy
    faulty: Proxy
    broken_disk: Proxy


@pytest.fixture(scope="module")
def proxies(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxies]:
    root = tmp_path_factory.mktemp("failures")
    session_provider.reset()
    # Faults of the embedder take place in the worker.
    recall = {"recall": {"deadline_ms": DEADLINE_MS, "process": False}}

    def proxy(name: str, **more: Any) -> Proxy:
        return Proxy(root / name, session_provider.url, **more)

    started = Proxies(
        bare=proxy("bare"),
        faulty=proxy(
            "faulty",
            memory=recall,
            config={"litellm_settings": {"callbacks": ["litellm_memory.handler", "bed.faults.fault"]}},
            environment={"BED_FAULT": str(root / "fault")},
        ),
        broken_disk=proxy("broken-disk", memory={}),
    )
    (root / "broken-disk" / "memory").write_bytes(b"in the way")
    each_one = (started.bare, started.faulty, started.broken_disk)
    with ExitStack() as stack:
        for each in each_one:
            stack.callback(each.stop)
            each.launch()
        for each in each_one:
            each.wait_until_live()
        yield started


@pytest.fixture(scope="module")
def memories(proxies: Proxies) -> Iterator[Memories]:
    with proxies.faulty.sidecar() as client:
        memories = Memories(proxies.faulty, client)
        memories.wait_until_ready()
        yield memories


# --- the faults ---


@contextmanager
def store_gone(proxy: Proxy) -> Iterator[None]:
    """The owner process killed, and its socket's place taken, so that no other can serve."""
    data_dir = proxy.directory / "memory"
    owner = read_record(data_dir)
    assert owner is not None
    place = Path(owner.socket)
    place.unlink()
    place.mkdir()
    os.kill(owner.pid, signal.SIGKILL)
    yield
    place.rmdir()


@contextmanager
def ledger_locked(proxy: Proxy) -> Iterator[None]:
    """Another process writes to the ledger and does not end."""
    with closing(sqlite3.connect(proxy.directory / "memory" / "ledger.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout=10000")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def inside(fault: str) -> Callable[[Proxy], AbstractContextManager[None]]:
    """A fault of ``bed.faults``."""

    @contextmanager
    def broken(proxy: Proxy) -> Iterator[None]:
        switch = proxy.directory.parent / "fault"
        switch.write_text(fault, encoding="utf-8")
        yield
        switch.unlink()

    return broken


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks while the proxy runs, and what memory may then say about a request."""

    id: str
    broken: Callable[[Proxy], AbstractContextManager[None]]
    statuses: tuple[str, ...]
    """The first is what it should say; on a busy machine it may be late."""
    problem: str | None = None
    """The part that `/ready` then complains of; None when memory works on."""
    known: bool = True
    """The people have a memory, and it is in RAM. Else nobody has heard of them."""
    at_once: int = 2
    """How many ask at once: many where each waits for the deadline."""


FAULTS = (
    Fault("store gone", store_gone, ("error", "late"), problem="store", known=False),
    Fault("store gone, memories in RAM", store_gone, ("injected", "late"), problem="store"),
    Fault("ledger locked", ledger_locked, ("injected", "late"), problem="ledger", at_once=len(PATHS)),
    Fault("embedder raises", inside("the embedder raises"), ("injected", "late")),
    Fault("embedder waits", inside("the embedder waits"), ("injected", "late"), at_once=len(PATHS)),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of one question in every format while something was broken, and of the same without memory."""

    answers: Mapping[str, Answer]
    bare_answers: Mapping[str, Answer]
    statuses: Mapping[str, str | None]
    learned: Mapping[str, int]
    """How often each person's words are among their memories after it was over."""


@pytest.fixture(scope="module", params=FAULTS, ids=lambda fault: fault.id)
def fault(request: pytest.FixtureRequest) -> Fault:
    broken: Fault = request.param
    return broken


@pytest.fixture(scope="module")
def known(proxies: Proxies, memories: Memories) -> list[str]:
    """A person for each route whose memory is in RAM."""
    people = [f"known {number}" for number, _ in enumerate(PATHS)]
    for person in people:
        memories.add(MEMORY, user=person)
    ask_everywhere(proxies.faulty, [QUESTION], people)
    return people


@pytest.fixture(scope="module")
def seen(fault: Fault, proxies: Proxies, memories: Memories, known: list[str]) -> Seen:
    people = known if fault.known else [f"unknown {number}" for number, _ in enumerate(PATHS)]
    statement = f"I water the ferns every Monday when {fault.id}."
    conversation = ["Hello.", "Hello to you.", f"{statement} {QUESTION}"]
    with fault.broken(proxies.faulty):
        answers = ask_everywhere(proxies.faulty, conversation, people, at_once=fault.at_once)
        if fault.problem:
            wait_for_problem(proxies.faulty, fault.problem)
    bare_answers = ask_everywhere(proxies.bare, conversation, people)
    memories.wait_until_ready()

    def learned(person: str) -> int:
        found = memories.wait_for(person, lambda found: bool(mentioning(found, statement)), within=20)
        return len(mentioning(found, statement))

    return Seen(
        answers=steadied(answers),
        bare_answers=steadied(bare_answers),
        statuses={name: answer.headers.get("x-memory-status") for name, answer in answers.items()},
        learned={route.id: learned(person) for route, person in zip(PATHS, people, strict=True)},
    )


def ask_everywhere(
    proxy: Proxy, conversation: Sequence[str], people: Sequence[str], *, at_once: int = 2
) -> dict[str, httpx.Response]:
    """What the routes answer, each to another person, as many as there are people."""
    with (
        httpx.Client(base_url=proxy.url, timeout=60, trust_env=False, verify=False) as client,
        ThreadPoolExecutor(at_once) as pool,
    ):

        def ask(route: Route, person: str) -> httpx.Response:
            return route.send(client, conversation, key=proxy.master_key, headers={"x-memory-user-id": person})

        return dict(zip((route.id for route in PATHS), pool.map(ask, PATHS, people), strict=False))


def steadied(answers: Mapping[str, httpx.Response]) -> dict[str, Answer]:
    return {name: (answer.status_code, steady(answer.content)) for name, answer in answers.items()}


def wait_for_problem(proxy: Proxy, part: str, because: str = "") -> None:
    """Returns when `/ready` says no and, about this part, a sentence that begins so."""
    deadline = time.monotonic() + 15
    with proxy.sidecar() as client:
        while time.monotonic() < deadline:
            ready = client.get("/ready")
            problem = ready.json()["problems"].get(part)
            if ready.status_code == 503 and problem is not None and problem.startswith(because):
                return
            assert proxy.wait_for_exit(within=0.05) is None
    raise TimeoutError(f"/ready says nothing about the {part}")


def test_the_client_gets_the_answer_that_it_gets_without_memory(seen: Seen) -> None:
    assert {status for status, _ in seen.bare_answers.values()} == {200}
    assert seen.answers == seen.bare_answers


def test_the_header_says_what_became_of_memory(fault: Fault, seen: Seen) -> None:
    assert {name: status for name, status in seen.statuses.items() if status not in fault.statuses} == {}
    assert fault.statuses[0] in seen.statuses.values()


def test_what_was_said_meanwhile_is_learned_once_when_it_is_over(seen: Seen) -> None:
    assert seen.learned == {route.id: 1 for route in PATHS}


# --- bodies that nobody should send ---

CARRIERS = ("messages", "contents", "input", "prompt")
"""The keys under which the formats carry what is said."""
ODD: list[Any] = [7, None, "words", {"role": 3, "content": {"deep": [True]}, "parts": 1.5}, {"role": "user"}, [[]]]
HUGE = "What a long evening it was. " * 38_000


def saying(said: Any) -> Callable[[Route], bytes]:
    """A body with ``said`` in place of the conversation."""

    def body(route: Route) -> bytes:
        whole = route.body(["Hello."])
        return json.dumps({key: said if key in CARRIERS else value for key, value in whole.items()}).encode()

    return body


def telling(words: str) -> Callable[[Route], bytes]:
    """A body whose person says these words, with escapes as JSON has them."""
    return lambda route: json.dumps(route.body([words])).encode()


def nested(depth: int) -> list[Any]:
    said: list[Any] = []
    for _ in range(depth):
        said = [said]
    return said


MALFORMED: dict[str, Callable[[Route], bytes]] = {
    "nothing": lambda route: b"",
    "no JSON": lambda route: json.dumps(route.body(["Hello."])).encode()[:-5],
    "a list": lambda route: b"[1, 2]",
    "a string": lambda route: b'"Hello."',
    "messages of odd types": saying(ODD),
    "a mapping for a list": saying({"0": "Hello."}),
    "a number for a list": saying(1e308),
    "nested deeply": saying(nested(300)),
    "nested beyond reading": lambda route: b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a megabyte": telling(HUGE),
    "NUL characters": telling("Hello,\x00 my\x00 name is Ada."),
    "lone surrogates": telling("My \ud83d favourite \udc00 colour is green."),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body_gets_litellms_own_answer(
    body: Callable[[Route], bytes], proxies: Proxies, memories: Memories
) -> None:
    assert send_everywhere(proxies.faulty, body) == send_everywhere(proxies.bare, body)


def send_everywhere(proxy: Proxy, body: Callable[[Route], bytes]) -> dict[str, Answer]:
    """What each route that is not streamed answers to its raw body."""
    with httpx.Client(base_url=proxy.url, timeout=60, trust_env=False, verify=False) as client:
        return steadied({route.id: send(client, route, body(route), proxy.master_key) for route in PLAIN})


def send(client: httpx.Client, route: Route, body: bytes, key: str) -> httpx.Response:
    headers = {**route.headers(key), "content-type": "application/json"}
    return client.post(route.path, params=dict(route.query), headers=headers, content=body)


def test_nothing_is_kept_of_a_body_that_is_malformed(proxies: Proxies, memories: Memories) -> None:
    chat = PLAIN[0]
    with proxies.faulty.client() as client:
        client.headers["x-memory-user-id"] = "malformed"
        for name, body in MALFORMED.items():
            if name != "NUL characters":
                send(client, chat, body(chat), proxies.faulty.master_key)
        chat.send(client, [MEMORY], key=proxies.faulty.master_key)
    found = memories.wait_for("malformed", lambda found: bool(mentioning(found, MEMORY)))
    assert {memory["text"] for memory in found} == {MEMORY}


# --- broken before the start ---


def test_a_broken_disk_costs_memory_alone_and_only_until_it_is_mended(proxies: Proxies) -> None:
    data_dir = proxies.broken_disk.directory / "memory"
    answers_without_memory(proxies, because="The ledger cannot be opened (FileExistsError)")

    data_dir.unlink()
    data_dir.mkdir(mode=0o700)
    (data_dir / "ledger.db").write_bytes(b"no database" * 1000)
    answers_without_memory(proxies, because="The ledger cannot be opened (SQLITE_NOTADB)")

    shutil.rmtree(data_dir)
    with proxies.broken_disk.sidecar() as client:
        memories = Memories(proxies.broken_disk, client)
        memories.wait_until_ready()
        memories.add(MEMORY, user="ada")
    [answer] = ask_everywhere(proxies.broken_disk, [f"{QUESTION} Tell me."], ["ada"]).values()
    assert (answer.status_code, answer.headers["x-memory-status"]) == (200, "injected")


def answers_without_memory(proxies: Proxies, *, because: str) -> None:
    """The proxy with the broken disk answers as without memory, and its log and `/ready` say why."""
    proxy = proxies.broken_disk
    wait_for_problem(proxy, "ledger", because)
    assert because in proxy.log
    answers = ask_everywhere(proxy, [QUESTION], ["ada"] * 3)
    assert steadied(answers) == steadied(ask_everywhere(proxies.bare, [QUESTION], ["ada"] * 3))
    assert {answer.headers["x-memory-reason"] for answer in answers.values()} == {"ledger"}
    with proxy.sidecar() as client:
        refused = client.post("/v1/memories", json={"text": MEMORY})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")


# --- hooks that are called with anything at all ---

ANYTHING: dict[str, Any] = {
    "None": None,
    "a number": 7,
    "a text": "Hello.",
    "a list": [1, [2]],
    "an empty mapping": {},
    "keys that are no texts": {1: 2, None: [3]},
    "messages of odd types": {"model": 3, "messages": ODD},
    "a mapping for messages": {"model": "gpt", "messages": {"role": "user", "content": "Hello."}},
    "headers of odd types": {"messages": 1.5, "proxy_server_request": {"headers": [1], "url": 4, "body": ()}},
    "something that is no JSON": object(),
    "an error": ValueError("no body"),
}
CALL_TYPES = ("acompletion", "aresponses", "pass_through_endpoint", "allm_passthrough_route", "nothing known", None)


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryHandler]:
    with warnings.catch_warnings():
        # LiteLLM leaves a directory open when its proxy is imported.
        warnings.simplefilter("ignore", ResourceWarning)
        from litellm_memory.hooks.guardrails import Guardrails
        from litellm_memory.hooks.handler import MemoryHandler
    engine = Engine(Settings(data_dir=tmp_path_factory.mktemp("hooks")), count=len)
    yield MemoryHandler(engine, Guardrails())
    engine.ledger.close()


@pytest.fixture
def call(handler: MemoryHandler) -> Callable[[], AbstractContextManager[None]]:
    """A request on its way, as the ASGI wrap would have it."""
    from litellm_memory.hooks.call import CURRENT, Call

    @contextmanager
    def under_way() -> Iterator[None]:
        token = CURRENT.set(Call(wrapped=True))
        yield
        CURRENT.reset(token)

    return under_way


@pytest.mark.parametrize("call_type", CALL_TYPES)
@pytest.mark.parametrize("data", ANYTHING.values(), ids=ANYTHING.keys())
async def test_hooks_give_back_what_they_cannot_read(
    handler: MemoryHandler, call: Callable[[], AbstractContextManager[None]], data: Any, call_type: Any
) -> None:
    before = repr(data)
    with call():
        assert await handler.async_pre_call_hook(data, data, data, call_type) is data
    with call():
        assert await handler.async_pre_call_deployment_hook(data, call_type) is None
    with call():
        assert await handler.async_pre_call_deployment_hook({"json": data, "litellm_metadata": data}, call_type) is None
    with call():
        assert await handler.async_post_call_response_headers_hook(data, data, data) is None
        await handler.async_log_success_event(data, data, None, None)
    assert repr(data) == before
