"""Policies: one ladder says for whom memory recalls and from whom it learns; nothing that others say lifts its off."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.provider import Provider
from bed.proxy import Person, Proxy
from pydantic import ValidationError

from litellm_memory.engine import Engine, Request
from litellm_memory.errors import SettingsError
from litellm_memory.hooks.proxy import caller_of
from litellm_memory.identity import partition_of
from litellm_memory.models import Caller, Scope
from litellm_memory.people.policies import Ruling, ruling_of
from litellm_memory.settings import LadderSettings, Settings, load_settings
from litellm_memory.sidecar import create_app

HASH, OTHER_HASH = "a" * 64, "b" * 64
ADA = Caller(
    user="u-1",
    email="ada@example.org",
    key=HASH,
    key_alias="ada-laptop",
    team="t-1",
    team_alias="Engines",
    organization="o-1",
    organization_alias="Acme",
)
MASTER = Caller(user="default_user_id", key=OTHER_HASH, master=True)
NOW = datetime.now(UTC)
OFF, ASK, ON = "policy_off", "opt_in", None

CASES: Mapping[str, tuple[Mapping[str, Any], Caller, str | None]] = {
    "nothing is set": ({}, ADA, ON),
    "everybody on": ({"everybody": "on"}, ADA, ON),
    "everybody off": ({"everybody": "off"}, ADA, OFF),
    "everybody asked": ({"everybody": "opt_in"}, ADA, ASK),
    "everybody off, the master key too": ({"everybody": "off"}, MASTER, OFF),
    "organization by id": ({"organizations": {"o-1": "off"}}, ADA, OFF),
    "organization by alias": ({"organizations": {"Acme": "opt_in"}}, ADA, ASK),
    "organization over everybody": ({"organizations": {"o-1": "on"}, "everybody": "off"}, ADA, ON),
    "another organization": ({"organizations": {"o-2": "off"}}, ADA, ON),
    "team by id": ({"teams": {"t-1": "off"}}, ADA, OFF),
    "team by alias": ({"teams": {"Engines": "off"}}, ADA, OFF),
    "team by glob": ({"teams": {"Eng*": "opt_in"}}, ADA, ASK),
    "team over organization": ({"teams": {"t-1": "on"}, "organizations": {"*": "off"}}, ADA, ON),
    "team off under an organization that is on": ({"teams": {"t-1": "off"}, "organizations": {"o-1": "on"}}, ADA, OFF),
    "another team": ({"teams": {"t-2": "off"}}, ADA, ON),
    "a key without a team": ({"teams": {"*": "off"}}, replace(ADA, team=None, team_alias=None), ON),
    "user by id": ({"users": {"u-1": "off"}}, ADA, OFF),
    "user by address": ({"users": {"ada@example.org": "off"}}, ADA, OFF),
    "user by glob": ({"users": {"*@example.org": "opt_in"}}, ADA, ASK),
    "user over team": ({"users": {"u-1": "on"}, "teams": {"t-1": "off"}}, ADA, ON),
    "user off in a team that is on": ({"users": {"u-1": "off"}, "teams": {"t-1": "on"}}, ADA, OFF),
    "another user": ({"users": {"u-2": "off"}}, ADA, ON),
    "upper and lower case count": ({"users": {"U-1": "off"}}, ADA, ON),
    "a user's name is no team": ({"teams": {"u-1": "off"}}, ADA, ON),
    "key by alias": ({"keys": {"ada-laptop": "off"}}, ADA, OFF),
    "key by hash": ({"keys": {HASH: "off"}}, ADA, OFF),
    "key by glob": ({"keys": {"ada-*": "opt_in"}}, ADA, ASK),
    "key over user": ({"keys": {"ada-laptop": "on"}, "users": {"u-1": "off"}}, ADA, ON),
    "key off for a user that is on": ({"keys": {"ada-laptop": "off"}, "users": {"u-1": "on"}}, ADA, OFF),
    "key over all others": (
        {"keys": {HASH: "on"}, **{rung: {"*": "off"} for rung in ("users", "teams", "organizations")}},
        ADA,
        ON,
    ),
    "another key": ({"keys": {"ben-*": "off"}}, ADA, ON),
    "a key called like the hash of another": (
        {"keys": {OTHER_HASH: "on"}, "everybody": "off"},
        replace(ADA, key_alias=OTHER_HASH),
        OFF,
    ),
    "a name written out goes before a glob": ({"users": {"*": "off", "u-1": "on"}}, ADA, ON),
    "the strictest of two globs": ({"users": {"u-*": "on", "*@example.org": "off"}}, ADA, OFF),
    "the strictest of two names": ({"users": {"u-1": "opt_in", "ada@example.org": "on"}}, ADA, ASK),
    "the master key by its word": ({"keys": {"master": "off"}}, MASTER, OFF),
    "the master key over everybody": ({"keys": {"master": "on"}, "everybody": "off"}, MASTER, ON),
    "the master key has no user": ({"users": {"default_user_id": "off"}}, MASTER, ON),
    "a key called master": ({"keys": {"master": "on"}, "everybody": "off"}, replace(ADA, key_alias="master"), OFF),
    "key metadata narrows a policy that is on": (
        {"everybody": "on"},
        replace(ADA, inject=False, remember=False),
        "key",
    ),
    "key metadata lifts nothing": ({"everybody": "off"}, replace(ADA, inject=True, remember=True), OFF),
    "on is the same as nothing": ({"keys": {"*": "on"}}, ADA, ON),
}
"""A ladder, who asks, and why not; None: they may. Each one is tried for recall and for learning."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data")) as opened:
        yield opened


async def asks(engine: Engine, caller: Caller, text: str, *, id: str = "call", **headers: str) -> Any:
    """What became of a request of this caller."""
    body = {"model": "gpt", "messages": [{"role": "user", "content": text}]}
    return await engine.before(Request(id, "acompletion", "/v1/chat/completions", headers, body, caller, ("gpt",)))


def use(engine: Engine, **changed: Any) -> None:
    engine.use(Settings.model_validate({**engine.settings.model_dump(exclude={"policies"}), **changed}))


@pytest.mark.parametrize("what", ["recall", "learn"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_most_specific_rung_decides(name: str, what: str, engine: Engine) -> None:
    ladder, caller, why_not = CASES[name]
    use(engine, policies={what: ladder})
    for headers in ({}, {"x-memory-inject": "true", "x-memory-store": "true"}):
        asked = await asks(
            engine, caller, f"I collect stamps ({name}, {what}).", id=f"{name} {what} {headers}", **headers
        )
        recalls = asked.reason if asked.status == "off" else None
        key = "inject_off" if why_not == "key" else why_not
        assert recalls == (key if what == "recall" or why_not == "key" else None)
        assert asked.acceptance.learns is (why_not is None if what == "learn" or why_not == "key" else True)


def test_at_least_forty_different_ladders_and_callers_go_through_a_request() -> None:
    marks = test_the_most_specific_rung_decides.pytestmark  # type: ignore[attr-defined]  # pytest puts it there
    [names] = [mark.args[1] for mark in marks if mark.name == "parametrize" and mark.args[0] == "name"]
    assert len({repr(CASES[name][:2]) for name in names}) >= 40


@pytest.mark.parametrize(
    ("narrowed", "headers", "caller", "recalls", "learns"),
    [
        pytest.param({"inject": False}, {}, ADA, False, True, id="inject"),
        pytest.param({"remember": False}, {}, ADA, True, False, id="remember"),
        pytest.param({"keys": {"exclude": ["ada-*"]}}, {}, ADA, False, False, id="keys"),
        pytest.param({"models": {"exclude": ["g*"]}}, {}, ADA, False, False, id="models"),
        pytest.param({}, {"x-memory-inject": "false"}, ADA, False, True, id="a header, recall"),
        pytest.param({}, {"x-memory-store": "no"}, ADA, True, False, id="a header, learning"),
        pytest.param({}, {}, replace(ADA, inject=False), False, True, id="metadata, recall"),
        pytest.param({}, {}, replace(ADA, remember=False), True, False, id="metadata, learning"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_everything_else_narrows_a_policy_that_is_on(
    narrowed: Mapping[str, Any],
    headers: Mapping[str, str],
    caller: Caller,
    recalls: bool,
    learns: bool,
    engine: Engine,
    request: pytest.FixtureRequest,
) -> None:
    before = engine.settings
    policies = {"recall": {"keys": {"*": "on"}}, "learn": {"keys": {"*": "on"}}}
    use(engine, policies=policies, **narrowed)
    try:
        asked = await asks(engine, caller, "I collect stamps.", id=request.node.name, **headers)
    finally:
        engine.use(before)
    assert (asked.status != "off", asked.acceptance.learns) == (recalls, learns)


@pytest.mark.parametrize(
    "header",
    ["x-memory-user-id", "x-maia-namespace", "x-openwebui-user-id", "x-litellm-end-user-id", "x-memory-project"],
)
@pytest.mark.parametrize("delegating", [(), ("ada-laptop",)])
@pytest.mark.asyncio(loop_scope="module")
async def test_no_name_that_a_client_writes_lifts_a_policy(
    header: str, delegating: tuple[str, ...], engine: Engine
) -> None:
    rungs = {rung: {"boss": "on"} for rung in ("keys", "users", "teams", "organizations")}
    ladder = {**rungs, "everybody": "off"}
    use(engine, policies={"recall": ladder, "learn": ladder}, identity={"delegating_keys": delegating})
    asked = await asks(engine, ADA, f"I collect stamps ({header}).", id=f"{header} {delegating}", **{header: "boss"})
    use(engine, identity={})
    assert asked.reason in ("policy_off", "undelegated_end_user")
    assert asked.acceptance.learns is False


def test_a_ruling_says_where_it_comes_from_and_without_policies_there_is_none() -> None:
    assert ruling_of(ADA, LadderSettings()) is None
    assert ruling_of(ADA, LadderSettings(everybody="on")) == Ruling("on", "everybody")
    told = ruling_of(ADA, LadderSettings(teams={"Eng*": "off"}))
    assert (told, str(told)) == (Ruling("off", "teams", "Eng*"), "teams.Eng*")


def test_bare_words_of_yaml_are_values_and_others_are_refused() -> None:
    written = {"policies": {"recall": {"everybody": False, "keys": {"ci-*": True}}, "learn": {"everybody": "opt_in"}}}
    found = load_settings({"litellm_memory": written}, directory=Path()).policies
    assert (found.recall.everybody, found.recall.keys, found.learn.everybody) == ("off", {"ci-*": "on"}, "opt_in")
    with pytest.raises(SettingsError, match=r"policies\.recall\.teams\.x: Input should be 'on', 'off' or 'opt_in'"):
        load_settings({"litellm_memory": {"policies": {"recall": {"teams": {"x": "maybe"}}}}}, directory=Path())
    with pytest.raises(SettingsError, match=r"the nearest known one is teams"):
        load_settings({"litellm_memory": {"policies": {"recall": {"team": {"x": "on"}}}}}, directory=Path())
    with pytest.raises(ValidationError):
        LadderSettings(keys={" ": "on"})


def test_what_litellm_verified_of_organizations_and_projects_is_known() -> None:
    from litellm.proxy._types import UserAPIKeyAuth

    key = UserAPIKeyAuth(
        api_key="sk-1",
        user_id="ada",
        org_id="o-1",
        organization_alias="Acme",
        organization_metadata={"litellm_memory": {"inject": False}},
        project_metadata={"litellm_memory": {"remember": False}},
    )
    caller = caller_of(key)
    assert (caller.organization, caller.organization_alias, caller.inject, caller.remember) == (
        "o-1",
        "Acme",
        False,
        False,
    )


# --- a person's own word ---


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    """The sidecar; the key of a request is the name of a caller."""
    known = {"ada": ADA, "master": MASTER, "mate": replace(ADA, user="u-9", email=None, key=OTHER_HASH)}

    async def verify(headers: Mapping[str, str]) -> Caller:
        return known[headers["authorization"].removeprefix("Bearer ")]

    transport = httpx.ASGITransport(create_app(engine, authenticate=verify), client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def by(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}"}


@pytest.mark.asyncio(loop_scope="module")
async def test_opt_in_is_off_until_the_person_agrees_and_again_once_they_withdraw(
    engine: Engine, door: httpx.AsyncClient
) -> None:
    use(engine, policies={"recall": {"everybody": "opt_in"}, "learn": {"users": {"*": "opt_in"}}})

    async def told(id: str) -> tuple[str, bool]:
        asked = await asks(engine, ADA, f"I live in Porto ({id}).", id=id)
        return asked.reason, asked.acceptance.learns

    assert await told("at first") == ("opt_in", False)
    until = {"recall": {"agreed": True, "until": "2030-01-01T00:00:00Z"}}
    assert (await door.put("/v1/me", json=until, headers=by("ada"))).status_code == 422
    agreed = {"recall": {"agreed": True}, "learn": {"agreed": True}}
    me = (await door.put("/v1/me", json=agreed, headers=by("ada"))).raise_for_status().json()
    assert me["learn"] == {
        "allowed": True, "by": "person", "until": None, "policy": "opt_in", "policy_from": "users.*", "agreed": True,
    }  # fmt: skip
    reason, learns = await told("agreed")
    assert (reason in ("nothing_relevant", "recalled"), learns) == (True, True)
    await door.put("/v1/me", json={"recall": {"paused": True}}, headers=by("ada"))
    assert await told("paused") == ("paused", True)
    await door.put("/v1/me", json={"recall": {"paused": False}, "learn": {"agreed": False}}, headers=by("ada"))
    assert (await told("withdrawn"))[1] is False
    await door.put("/v1/me", json={"recall": {"agreed": False}}, headers=by("ada"))
    assert await told("all withdrawn") == ("opt_in", False)


@pytest.mark.asyncio(loop_scope="module")
async def test_agreeing_lifts_no_off_and_is_nobody_elses_to_say(engine: Engine, door: httpx.AsyncClient) -> None:
    use(engine, policies={"recall": {"everybody": "off"}})
    me = (await door.put("/v1/me", json={"recall": {"agreed": True}}, headers=by("ada"))).raise_for_status().json()
    assert (me["recall"]["allowed"], me["recall"]["by"], me["recall"]["agreed"]) == (False, "policy", True)
    assert (await asks(engine, ADA, "Where do I live?", id="off")).reason == "policy_off"
    await door.put("/v1/me", json={"recall": {"agreed": False}}, headers=by("ada"))
    whose = {"partition": str(partition_of(ADA, "user"))}
    operator = await door.put("/v1/me", json={"recall": {"agreed": True}}, params=whose, headers=by("master"))
    foreign = await door.put("/v1/me", json={"recall": {"agreed": True}}, params=whose, headers=by("mate"))
    assert (operator.status_code, foreign.status_code) == (403, 404)
    use(engine, policies={"recall": {"everybody": "opt_in"}}, identity={"partition": "team"})
    for_me = await door.put("/v1/me", json={"recall": {"agreed": True}}, params={"user": "u-1"}, headers=by("mate"))
    mine = await door.put("/v1/me", json={"recall": {"agreed": True}}, headers=by("mate"))
    use(engine, identity={})
    assert (for_me.status_code, mine.status_code) == (403, 200)


@pytest.mark.asyncio(loop_scope="module")
async def test_erasing_a_person_erases_what_they_agreed_to(engine: Engine) -> None:
    use(engine, policies={"recall": {"everybody": "opt_in"}})
    switches, scope = engine.ledger.people.switches, Scope("p", "leaver")
    await switches.agree("p", "leaver", "recall")
    gone = await engine.ledger.erasures.erase_user("p", "leaver", until=None)
    await switches.follow()
    assert (gone["switches"], engine.ledger.people.switches.standing(scope, ADA, NOW, engine.settings).recall.by) == (
        1,
        "policy",
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_info_and_the_trace_tell_the_policy_and_where_it_comes_from(
    engine: Engine, door: httpx.AsyncClient
) -> None:
    use(engine, policies={"recall": {"teams": {"Eng*": "off"}}, "learn": {"everybody": "opt_in"}})
    info = (await door.get("/memory-routing/info", headers=by("ada"))).raise_for_status().json()
    assert [(info[what]["policy"], info[what]["policy_from"]) for what in ("recall", "learn")] == [
        ("off", "teams.Eng*"),
        ("opt_in", "everybody"),
    ]
    await asks(engine, ADA, "Where do I live now?", id="traced")
    trace = (await door.get("/v1/traces/traced", headers=by("ada"))).raise_for_status().json()
    assert trace["why"] == [
        "Memory gives nothing here: a policy of the settings says `off`.",
        "The policy that holds for recall is `off`, by `policies.recall.teams.Eng*`.",
        "The policy that holds for learn is `opt_in`, by `policies.learn.everybody`.",
        "Nothing is learned from it: a policy does not allow it.",
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_no_other_door_goes_round_a_policy(engine: Engine, door: httpx.AsyncClient) -> None:
    use(engine, policies={"recall": {"everybody": "off"}, "learn": {"everybody": "off"}})
    said = {"path": "/v1/chat/completions", "headers": {}, "said": [{"at": "2026-01-01T00:00:00Z"}]}
    said["body"] = {"messages": [{"role": "user", "content": "I live in Graz."}]}
    added = await door.post("/v1/memories", json={"text": "Ada lives in Graz."}, headers=by("ada"))
    imported = await door.post("/v1/import", content=b'{"text": "Ada lives in Graz."}\n', headers=by("ada"))
    past = await door.post("/v1/import/conversations", json={"conversations": [said]}, headers=by("ada"))
    assert (added.status_code, imported.status_code, past.json()["left_out"]) == (403, 403, {"off": 1})
    listed = await door.get("/v1/memories", headers=by("ada"))
    assert (listed.status_code, "Graz" in listed.text) == (200, False)
    whose = {"partition": str(partition_of(ADA, "user"))}
    by_operator = await door.post("/v1/memories", json={"text": "Ada sails."}, params=whose, headers=by("master"))
    assert by_operator.status_code == 201
    seen = (await door.get("/v1/me", params=whose, headers=by("master"))).json()["learn"]
    assert (seen["policy"], seen["by"]) == (None, "default")


@pytest.mark.asyncio(loop_scope="module")
async def test_no_line_of_an_import_names_a_user_who_has_not_agreed(engine: Engine, door: httpx.AsyncClient) -> None:
    use(engine, policies={"learn": {"everybody": "opt_in"}})
    agreed = await door.put("/v1/me", json={"learn": {"agreed": True}}, params={"user": "zoe"}, headers=by("ada"))
    assert agreed.status_code == 200

    async def imported(*users: str) -> int:
        lines = "".join(json.dumps({"text": f"{user} lives in Linz.", "user": user}) + "\n" for user in users)
        answer = await door.post("/v1/import", content=lines, params={"user": "zoe"}, headers=by("ada"))
        return answer.status_code

    assert [await imported("zoe"), await imported("zoe", "max"), await imported("max")] == [200, 403, 403]
    assert "max lives" not in (await door.get("/v1/memories", headers=by("ada"))).text


# --- through LiteLLM's proxy ---

PEOPLE = {
    "named": Person("u-1", "t-1", verified={"key_alias": "ada-laptop", "org_id": "o-1"}),
    "mate": Person("u-2", "t-1", verified={"key_alias": "ben-laptop", "team_alias": "Engines"}),
    "agency": Person("u-3", "t-2", verified={"user_email": "eve@agency.example"}),
    "narrowed": Person("u-4", metadata={"litellm_memory": {"inject": False}}),
}
LADDER = {
    "keys": {"ada-*": "on"},
    "users": {"*@agency.example": "opt_in", "u-4": "on"},
    "teams": {"Engines": "off"},
    "everybody": "off",
}
REASONS = {"named": "nothing_relevant", "mate": "policy_off", "agency": "opt_in", "narrowed": "inject_off"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Two workers."""
    callbacks = {"litellm_settings": {"callbacks": ["litellm_memory.handler", "bed.worker.worker"]}}
    with Proxy(
        tmp_path_factory.mktemp("policies"),
        session_provider.url,
        memory={"policies": {"recall": LADDER, "learn": LADDER}},
        people=list(PEOPLE.values()),
        config=callbacks,
        workers=2,
    ) as started:
        yield started


def ask(proxy: Proxy, who: str) -> tuple[str, str]:
    """The worker that answered, and the reason that memory gave; over a connection of its own."""
    text = f"Which stamps of series {next(_numbers)} do I collect?"
    with proxy.client(key=PEOPLE[who].key) as client:
        body = {"model": "gpt", "messages": [{"role": "user", "content": text}]}
        answer = client.post("/v1/chat/completions", json=body).raise_for_status()
    return answer.headers["x-bed-worker"], answer.headers["x-memory-reason"]


def ask_until(proxy: Proxy, who: str, reason: str, *, within: float) -> None:
    """Asks until the newest reason of both workers is this one."""
    newest: dict[str, str] = {}
    deadline = time.monotonic() + within
    while len(newest) < 2 or set(newest.values()) != {reason}:
        assert time.monotonic() < deadline, newest
        newest.update([ask(proxy, who)])


def change(proxy: Proxy, ladder: Mapping[str, Any]) -> None:
    section = {**proxy.config["litellm_memory"], "policies": {"recall": ladder, "learn": ladder}}
    proxy.write_config({**proxy.config, "litellm_memory": section})


def test_policies_hold_behind_litellms_own_keys_and_a_change_on_every_worker_within_five_seconds(proxy: Proxy) -> None:
    for who, reason in REASONS.items():
        ask_until(proxy, who, reason, within=60)
    change(proxy, {**LADDER, "keys": {}, "teams": {}, "users": {"u-2": "on"}})
    for who, reason in (("named", "policy_off"), ("mate", "nothing_relevant")):
        ask_until(proxy, who, reason, within=5)
    change(proxy, LADDER)
    ask_until(proxy, "named", "nothing_relevant", within=5)
    with proxy.sidecar(key=PEOPLE["agency"].key) as client:
        client.put("/v1/me", json={"recall": {"agreed": True}}).raise_for_status()
        ask_until(proxy, "agency", "nothing_relevant", within=5)
        client.put("/v1/me", json={"recall": {"agreed": False}}).raise_for_status()
    ask_until(proxy, "agency", "opt_in", within=5)


# --- a table of people behind LiteLLM's own keys ---

RUNGS = ("keys", "users", "teams", "organizations")
VALUES = ("on", "off", "opt_in")
NAMED_BY = ("name", "alias", "glob")


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody of whom one rung says something, and every less specific one the contrary."""

    rung: str
    recall: str
    by: str
    number: int
    narrowed: bool = False
    """LiteLLM's metadata of the key says no as well."""

    @property
    def learn(self) -> str:
        """Another value than for recall."""
        return VALUES[(VALUES.index(self.recall) + 1) % len(VALUES)]

    def person(self) -> Person:
        number = self.number
        verified = {
            "key_alias": f"laptop-{number}-",
            "user_email": f"mail-{number}-@example.org",
            "team_alias": f"crew-{number}-",
            "org_id": f"o-{number}-",
            "organization_alias": f"firm-{number}-",
        }
        metadata = {"litellm_memory": {"inject": False, "remember": False}} if self.narrowed else {}
        return Person(f"u-{number}-", f"t-{number}-", metadata, verified=verified)

    def ladder(self, value: str, person: Person) -> Iterator[tuple[str, str, str]]:
        """The rung, name and value of all that is said of this person."""
        ids = {"keys": sha256(person.key.encode()).hexdigest(), "users": person.user, "teams": person.team}
        known = {"organizations": f"o-{self.number}-", **ids}
        aliases = dict(zip(RUNGS, ("laptop", "mail", "crew", "firm"), strict=True))
        alias = f"{aliases[self.rung]}-{self.number}-" + ("@example.org" if self.rung == "users" else "")
        names = {"name": str(known[self.rung]), "alias": alias, "glob": f"{aliases[self.rung]}-{self.number}-*"}
        yield self.rung, names[self.by], value
        for below in RUNGS[RUNGS.index(self.rung) + 1 :]:
            yield below, str(known[below]), "off" if value == "on" else "on"

    def __str__(self) -> str:
        return f"{self.rung} by {self.by}, recall {self.recall}{', narrowed' if self.narrowed else ''}"


ROWS = [
    *(Row(*row, number) for number, row in enumerate(itertools.product(RUNGS, VALUES, NAMED_BY), start=100)),
    *(Row(rung, "on", "alias", number, narrowed=True) for number, rung in enumerate(RUNGS, start=200)),
]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one request of each row: why it was given nothing, and whether it was learned from."""

    recall: Mapping[Row, str]
    learned: Mapping[Row, bool]


@pytest.fixture(scope="module")
def told(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Told:
    people = {row: row.person() for row in ROWS}
    ladders: dict[str, dict[str, Any]] = {what: {"everybody": "off"} for what in ("recall", "learn")}
    for row, person in people.items():
        for what, ladder in ladders.items():
            for rung, name, value in row.ladder(getattr(row, what), person):
                ladder.setdefault(rung, {})[name] = value
    directory, memory = tmp_path_factory.mktemp("rows"), {"policies": ladders}
    reasons: dict[Row, str] = {}
    learned: dict[Row, bool] = {}
    with Proxy(directory, session_provider.url, memory=memory, people=list(people.values())) as proxy:
        for row, person in people.items():
            said = {"model": "gpt", "messages": [{"role": "user", "content": f"I collect stamps of {row.number}."}]}
            with proxy.client(key=person.key) as client, proxy.sidecar(key=person.key) as sidecar:
                headers = client.post("/v1/chat/completions", json=said).raise_for_status().headers
                reasons[row] = headers["x-memory-reason"]
                trace = trace_of(sidecar, headers["x-memory-trace"])
                learned[row] = not any(one.startswith("Nothing is learned from it") for one in trace["why"])
    return Told(reasons, learned)


def trace_of(sidecar: httpx.Client, id: str) -> Mapping[str, Any]:
    """A trace, as soon as it is there."""
    deadline = time.monotonic() + 30
    while (answer := sidecar.get(f"/v1/traces/{id}")).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.05)
    return dict(answer.raise_for_status().json())


def test_there_are_at_least_forty_rows() -> None:
    assert len({str(row) for row in ROWS}) >= 40


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_most_specific_rung_decides_for_a_key_that_litellm_verified(row: Row, told: Told) -> None:
    reason, learned = told.recall[row], told.learned[row]
    why = {"on": "inject_off" if row.narrowed else None, "off": "policy_off", "opt_in": "opt_in"}[row.recall]
    assert reason == why if why else reason not in ("policy_off", "opt_in", "inject_off")
    assert learned is (row.learn == "on" and not row.narrowed)
