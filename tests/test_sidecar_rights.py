"""No route of the sidecar forgets whose partition it acts in, and none that changes something only reads its rights."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from bed.engines import opened_engine
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import Route

from litellm_memory.api.audit import audited_partition
from litellm_memory.api.past import ConversationsIn, owner_of
from litellm_memory.api.rollback import rollback_partition
from litellm_memory.api.routing import asking
from litellm_memory.care.shown import MemoryOut
from litellm_memory.engine import Engine
from litellm_memory.errors import UnauthorizedError
from litellm_memory.gate.access import read_partition, read_partitions, verified, write_partition
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.page.mount import ROUTERS as PAGES
from litellm_memory.settings import SidecarSettings
from litellm_memory.sidecar import Served, add_routing, create_app
from litellm_memory.sidecar.app import ROUTERS
from litellm_memory.sidecar.tools import TOOLS

PUBLIC = {("GET", "/health"), ("GET", "/ready")}
WITHOUT_PARTITION = {
    ("GET", "/metrics"): verified,
    ("GET", "/memory-routing/info"): asking,
    ("GET", "/memory-routing/rules"): asking,
    ("GET", "/v1/partitions"): verified,
    ("POST", "/v1/people"): verified,
    ("POST", "/v1/people/erase"): verified,
    ("POST", "/v1/identify"): verified,
    ("POST", "/v1/preview"): verified,
    ("POST", "/v1/vector_stores/{store_id}/search"): verified,
    ("GET", "/v1/shared"): verified,
}
"""What names no partition: figures of no user, which partitions there are, a person in all of them (for operators, as
``test_people.py`` tries), what becomes of a request in the partition of its own key, a vector store, whose id names the
partition, as ``test_vector_stores.py`` tries, and what the verified team shares, as ``test_layers.py`` tries."""
SUMS = {("GET", "/v1/usage")}
"""Routes that an operator may ask about all partitions at once."""
BODIES = {
    ("POST", "/v1/audit/secrets"): {"fix": False},
    ("POST", "/v1/rollback"): {"call": "1"},
    ("POST", "/v1/import/conversations"): ConversationsIn.model_config["json_schema_extra"]["example"],
}
BY_BODY = {
    ("POST", "/v1/audit/secrets"): audited_partition,
    ("POST", "/v1/rollback"): rollback_partition,
    ("POST", "/v1/import/conversations"): owner_of,
}
"""The body says whether these change anything, or whose it is."""
READS = {("POST", "/v1/browse"), ("POST", "/v1/memories/search")}

ROUTES = {
    (method, route.path_format): route
    for router in (*ROUTERS, *PAGES)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
}
PAGE = {"/", "/page/{name}", "/api/plugin-manifest", "/api/plugin-auth", "/api/session", "/api/{path:path}"}
"""The page's own, which know a session and act through the routes above."""
PARTITIONS = (read_partition, read_partitions, write_partition, *BY_BODY.values())


async def master(headers: Mapping[str, str]) -> Caller:
    return Caller(master=True)


async def ada(headers: Mapping[str, str]) -> Caller:
    return Caller(user="ada")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path) as opened:
        yield opened


def dependencies(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for each in dependant.dependencies:
        yield each.call
        yield from dependencies(each)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_acts_in_exactly_one_partition_which_the_key_may_read_or_write(route: tuple[str, str]) -> None:
    asked = {call for call in dependencies(ROUTES[route].dependant) if call in (*PARTITIONS, verified, asking)}
    writes = route[0] != "GET" and route not in READS
    one = BY_BODY.get(route, write_partition if writes else read_partitions if route in SUMS else read_partition)
    named = {WITHOUT_PARTITION[route]} if route in WITHOUT_PARTITION else {one, verified}
    assert asked == (set() if route in PUBLIC else named)


async def test_no_route_is_outside_of_the_routers(engine: Engine) -> None:
    app = with_page(create_app(engine, authenticate=master))
    described = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    plain = {route.path for route in app.routes if isinstance(route, Route)}
    assert (described, plain) == (set(ROUTES), {"/openapi.json", "/mcp", *PAGE})


async def ask(app: FastAPI, method: str, path: str, **asked: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, **asked)


@pytest.mark.parametrize(
    ("path", "reads", "writes"),
    [
        pytest.param("/v1/audit/secrets", {"fix": False}, {"fix": True}, id="audit"),
        pytest.param("/v1/rollback", {"call": "1", "dry_run": True}, {"call": "1", "dry_run": False}, id="rollback"),
    ],
)
async def test_only_what_changes_something_has_to_name_one_of_several_partitions(
    engine: Engine, path: str, reads: dict[str, Any], writes: dict[str, Any]
) -> None:
    engine.ledger.partitions.note("elsewhere")
    app, key = create_app(engine, authenticate=master), {"authorization": "Bearer key"}
    answers = [await ask(app, "POST", path, json=body, headers=key) for body in (reads, writes)]
    assert [answer.status_code for answer in answers] == [200, 400]


async def test_all_partitions_are_an_operators_alone_and_only_where_a_route_sums_over_them(engine: Engine) -> None:
    told: dict[tuple[str, str], tuple[int, ...]] = {}
    apps = [with_page(create_app(engine, authenticate=who)) for who in (master, ada)]
    for method, path in sorted(set(ROUTES) - PUBLIC - set(WITHOUT_PARTITION)):
        asked = f"{re.sub('{.*?}', '0' * 40, path)}?partition=*"
        given = {"json": BODIES.get((method, path)), "headers": {"authorization": "Bearer key"}}
        told[method, path] = tuple([(await ask(app, method, asked, **given)).status_code for app in apps])
    assert told == {route: (200 if route in SUMS else 400, 403) for route in told}


def test_a_tool_gets_the_partition_of_what_it_does() -> None:
    """``Agent.acting`` asks for the right by ``writes``, so a tool that calls what changes memories has to say so."""
    changing = ("keep(", "correct(", "forget(")
    changes = {name for name, tool in TOOLS.items() if any(call in inspect.getsource(tool.run) for call in changing)}
    assert changes == {name for name, tool in TOOLS.items() if tool.writes}


def test_no_answer_shows_a_memory_that_was_not_redacted() -> None:
    """``MemoryOut.shown`` redacts, and is the only place that makes one of a memory."""
    package = Path(inspect.getfile(MemoryOut)).parent.parent
    made = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and "MemoryOut" in ast.unparse(node.func)
        and "shown" not in ast.unparse(node.func)
    }
    assert made == {"shown.py"}


async def test_routing_works_on_an_app_whose_state_is_somebody_elses(engine: Engine) -> None:
    app = FastAPI()
    app.state.engine = app.state.authenticate = "theirs"
    sidecar = create_app(engine, authenticate=ada)
    add_routing(app, Served(engine, ada, sidecar.state.litellm_memory.shared))
    key = {"authorization": "Bearer key", "x-memory-user-id": "bob"}
    told = [(await ask(each, "GET", "/memory-routing/info", headers=key)).json() for each in (app, sidecar)]
    unasked = [(await ask(each, "GET", "/memory-routing/rules")).status_code for each in (app, sidecar)]
    assert (told[0], unasked, app.state.engine) == (told[1], [401, 200], "theirs")


@pytest.mark.parametrize("blank", ["", " "])
async def test_no_request_without_a_key_is_the_operators_whatever_the_settings_hold(engine: Engine, blank: str) -> None:
    """Settings with a blank key do not load, so they are made without being validated here."""
    unvalidated = SidecarSettings.model_construct(api_key=SecretStr(blank))
    engine.use(engine.settings.model_copy(update={"sidecar": unvalidated}))
    app = create_app(engine, authenticate=refusing)
    keys = [{}, {"authorization": ""}, {"authorization": "Bearer "}, {"x-api-key": blank}]
    for key, path in product(keys, ("/v1/memories", "/v1/export", "/v1/traces", "/metrics")):
        assert (await ask(app, "GET", path, headers=key)).status_code == 401, (key, path)


async def refusing(headers: Mapping[str, str]) -> Caller:
    raise UnauthorizedError("No such key.")
