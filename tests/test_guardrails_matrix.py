"""Whatever a guardrail does, at whatever stage, wherever it is listed and in whatever format: what it held back is kept
nowhere, and no log gets a block of a request that met it.

All requests are made first, and learning is waited for once; each test looks at what became of one of them.
"""

from __future__ import annotations

import itertools
import json
import re
import string
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from bed.answers import Answer
from bed.guards import KINDS, PLACES, by_word
from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from bed.routes import ROUTES, Route
from bed.sinks import SINKS

pytestmark = pytest.mark.long
"""Four hundred requests take a minute; `test_guardrails.py` is the short form."""

JSON: TypeAlias = dict[str, Any]

KNOWN = "My sister Anna plays the cello in Graz."
SECRET = "cello in Graz"
QUESTION = "Which instrument does my sister Anna play?"
LAST = "My brother collects stamps from Norway."
"""What is told at the end: learning keeps the order, so once this is learned nothing waits."""
WORDS = re.compile(
    rb"(?:mask|random|refuse|plain)(?:before|during|after|never)(?:ahead|behind)[a-z]{4}zq", re.IGNORECASE
)


TAG = re.compile(r"Kite[a-z]{4}zq")
MEMORY = "memory"
"""The data directory, below the proxy's."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One request, told apart from all others by its ``word``, which the guardrail of one stage and place acts on."""

    kind: str
    stage: str
    place: str
    route: Route
    number: int

    @property
    def letters(self) -> str:
        """The number in letters: digits would make a secret of the word."""
        digits = [self.number // 26**power % 26 for power in (3, 2, 1, 0)]
        return "".join(string.ascii_lowercase[digit] for digit in digits) + "zq"

    @property
    def word(self) -> str:
        return f"{self.kind.title()}{self.stage}{self.place}{self.letters}"

    @property
    def user(self) -> str:
        return f"met-{self.number}"

    @property
    def tag(self) -> str:
        """A word of the request that nothing masks."""
        return f"Kite{self.letters}"

    @property
    def said(self) -> str:
        word = "Martin" if self.stage == "after" else self.word
        return f"My cousin {word} sails the {self.tag} in Linz. {QUESTION}"

    @property
    def answer(self) -> str:
        hidden = f"<PERSON_{self.place}>" if self.kind == "random" else "Martin"
        name = self.word if self.stage == "after" else hidden
        return f"Your cousin {name} is a fine sailor."

    def __str__(self) -> str:
        return f"{self.kind} {self.stage} {self.place}: {self.route.id}"


def cases() -> Iterator[Case]:
    numbers = itertools.count()
    for route in GUARDED:
        yield Case("plain", "never", "behind", route, next(numbers))
        for stage, kinds in KINDS.items():
            for kind, place in itertools.product(kinds, PLACES):
                yield Case(kind, stage, place, route, next(numbers))


FORMATS = (
    *("chat to openai", "chat to openai, stream", "chat to anthropic, stream", "chat to bedrock converse"),
    *("completions to openai", "completions to openai chat, stream"),
    *("responses to openai", "responses to openai, stream", "responses to anthropic"),
    *("messages to anthropic", "messages to anthropic, stream", "messages to openai"),
    *("generateContent to gemini", "generateContent to gemini, stream", "generateContent to anthropic"),
    *("/anthropic", "/anthropic, stream", "/gemini", "/openai chat", "/openai_passthrough responses"),
    *("/azure, raw", "/azure, a model of the list", "/vertex_ai", "custom, chat"),
    *("/bedrock converse", "/bedrock converse, stream", "/bedrock invoke"),
)
"""Each wire format as LiteLLM serves it itself, translated for another provider, and passed through."""
RELAY = "/azure, a model of the list"
"""LiteLLM runs no guardrail there, and memory learns nothing where one is always on."""
UNREFUSED = ("chat to anthropic, stream", "completions to openai chat, stream")
"""LiteLLM does not refuse what ends these streams."""
GUARDED = tuple(route for route in ROUTES if route.id in FORMATS)
CASES = tuple(cases())


@dataclass(frozen=True, slots=True)
class Became:
    """How LiteLLM treated a request."""

    refused: bool
    let_through: bool
    """The word got past the guardrail: to the provider, or from it to the client."""
    answered: bool
    """The word stood in the answer."""
    given: bool
    """A block reached the provider."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What became of all requests, once everything was learned and logged."""

    became: Mapping[Case, Became]
    files: Mapping[str, set[str]]
    """The names of the files below the data directory that a word stands in, before and after learning."""
    learned: Mapping[str, Sequence[str]]
    """The texts of a user's memories, but the one that they had before."""
    logged: Mapping[str, Sequence[JSON]]
    """What the sinks got, by the tag of the request."""


def ask(client: httpx.Client, proxy: Proxy, provider: Provider, case: Case) -> Became:
    provider.answer = Answer(case.answer)
    try:
        response = case.route.send(client, [case.said], key=proxy.master_key, headers={"x-memory-user-id": case.user})
    except httpx.RemoteProtocolError:
        response = httpx.Response(500)  # A stream that ends in a refusal may break off.
    received = "".join(one.raw.decode("utf-8", "replace") for one in provider.take())
    refused = response.status_code != 200 or "refused by the bed" in response.text
    answered = case.word in (response.text if refused else case.route.text(response))
    let_through = answered if case.stage == "after" else case.word in received
    return Became(refused, let_through, answered, SECRET in received)


def words_in(directory: Path) -> dict[str, set[str]]:
    """The words in any file, in any case and in eight bits or sixteen, with the names of the files."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in directory.rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        for word in {*WORDS.findall(held), *WORDS.findall(held.replace(b"\0", b""))}:
            found[word.decode().lower()].add(str(path.relative_to(directory)))
    return found


def read_logs(path: Path) -> dict[str, list[JSON]]:
    """What the sinks wrote so far, by the tag of the request."""
    found: dict[str, list[JSON]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            told = json.loads(line)
            for tag in {tag for text in told["strings"] for tag in TAG.findall(text)}:
                found[tag].append(told)
    return found


def sinks_of(lines: Sequence[JSON]) -> set[str]:
    return {line["sink"] for line in lines}


def wait_for_logs(path: Path, tags: set[str]) -> dict[str, list[JSON]]:
    """The same, as soon as the sinks ahead of memory and behind it were told of all these requests."""
    deadline = time.monotonic() + 30
    while True:
        logged = read_logs(path)
        missing = {tag for tag in tags if not {"Before", "Behind"} <= sinks_of(logged[tag])}
        if not missing or time.monotonic() > deadline:
            return logged
        time.sleep(0.1)


def heeded(case: Case) -> bool:
    """LiteLLM runs the guardrail on this route and does as it says."""
    route = case.route
    if route.id == RELAY:
        return False
    if route.id == "/bedrock invoke":
        return case.kind == "refuse"
    if route.id.startswith(("/", "custom")) and not route.id.startswith("/bedrock"):
        # A pass-through route, whose body is looked at once and never changed.
        return (case.kind, case.stage) == ("refuse", "before")
    if route.stream and case.stage == "after":
        return case.kind == "refuse" and route.id not in UNREFUSED
    return True


@pytest.fixture(scope="module")
def matrix(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """Everything is asked of one proxy, whose users have a memory each."""
    session_provider.reset()
    directory = tmp_path_factory.mktemp("matrix")
    (sinks := directory / "sinks").touch()
    ahead = [f"bed.guards.{stage}_ahead" for stage in KINDS]
    callbacks = ["bed.sinks.before", *ahead, "litellm_memory.handler", "bed.sinks.behind"]
    config = {"litellm_settings": {"callbacks": callbacks}, "guardrails": by_word()}
    with (
        Proxy(directory, session_provider.url, memory={}, config=config, environment={SINKS: str(sinks)}) as proxy,
        proxy.sidecar() as sidecar,
        proxy.client() as client,
    ):
        memories = Memories(proxy, sidecar)
        memories.wait_until_ready()
        lines = "\n".join(json.dumps({"text": KNOWN, "user": case.user}) for case in CASES)
        sidecar.post("/v1/import", content=lines, headers={"content-type": "application/x-ndjson"}).raise_for_status()
        became = {case: ask(client, proxy, session_provider, case) for case in CASES}
        session_provider.reset()
        ROUTES[0].send(client, [LAST], key=proxy.master_key, headers={"x-memory-user-id": "last"})
        files = words_in(directory / MEMORY)
        memories.wait_for("last", lambda found: bool(mentioning(found, "stamps")))
        for word, names in words_in(directory / MEMORY).items():
            files[word] |= names
        answered = {case.tag for case, one in became.items() if not one.refused}
        logged = wait_for_logs(sinks, answered)
        return Aftermath(became, files, learned_of(sidecar), logged)


def learned_of(sidecar: httpx.Client) -> dict[str, list[str]]:
    learned: dict[str, list[str]] = defaultdict(list)
    for memory in map(json.loads, sidecar.get("/v1/export").raise_for_status().text.splitlines()):
        if memory["text"] != KNOWN:
            learned[memory["user"]].append(memory["text"])
    return learned


def cases_of(route: Route) -> list[Case]:
    return [case for case in CASES if case.route is route and case.kind != "plain"]


every_route = pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.id)


@every_route
def test_litellm_does_as_a_guardrail_says_where_it_is_known_to(matrix: Aftermath, route: Route) -> None:
    """During a call LiteLLM masks what it has, which the provider may have got before."""

    def seen(case: Case) -> bool:
        one = matrix.became[case]
        masked = any("<PERSON>" in text for text in matrix.learned.get(case.user, ()))
        return one.refused if case.kind == "refuse" else masked or not one.let_through

    assert {str(case): seen(case) for case in cases_of(route)} == {str(case): heeded(case) for case in cases_of(route)}


@every_route
def test_no_file_has_a_word_that_was_held_back(matrix: Aftermath, route: Route) -> None:
    held = [case for case in cases_of(route) if heeded(case)]
    assert {str(case): matrix.files[case.word.lower()] for case in held if case.word.lower() in matrix.files} == {}


@every_route
def test_what_is_refused_teaches_nothing_and_what_is_masked_is_learned_masked(matrix: Aftermath, route: Route) -> None:
    for case in cases_of(route):
        learned = matrix.learned.get(case.user, ())
        if matrix.became[case].refused or route.id == RELAY:
            assert learned == (), str(case)
        else:
            masked = heeded(case) and case.stage != "after"
            [told] = [text for text in learned if case.tag in text]
            assert ("<PERSON" in told, case.word in told) == (masked, not masked and case.stage != "after"), str(case)


@every_route
def test_words_that_no_guardrail_knows_are_found_in_the_files(matrix: Aftermath, route: Route) -> None:
    """So the search of the files finds what is there."""
    [plain] = [case for case in CASES if case.route is route and case.kind == "plain"]
    assert (plain.word.lower() in matrix.files) == (route.id != RELAY)


@every_route
def test_real_words_are_put_back_for_the_client_alone(matrix: Aftermath, route: Route) -> None:
    random = [case for case in cases_of(route) if case.kind == "random" and heeded(case) and not route.stream]
    assert [case for case in random if not matrix.became[case].answered] == []


@every_route
def test_no_log_gets_a_block_of_a_request_that_met_a_guardrail(matrix: Aftermath, route: Route) -> None:
    for case in CASES:
        if case.route is route:
            lines = matrix.logged.get(case.tag, ())
            assert [line["sink"] for line in lines for text in line["strings"] if SECRET in text] == [], str(case)
            if not matrix.became[case].refused:
                assert (matrix.became[case].given, sinks_of(lines)) == (True, {"Before", "Behind"}), str(case)
