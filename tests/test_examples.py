"""Every route and every command has an example on its page, and each example is run against a sidecar that listens."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import typer
import yaml
from bed.engines import opened_engine
from bed.proxy import CHECKOUT, free_port
from click.testing import Result
from typer.core import TyperGroup
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.engine import Engine
from litellm_memory.models import Caller
from litellm_memory.page import with_page
from litellm_memory.sidecar import create_app, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASH = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = "sk-" + "1" * 32
NOT_RUN = ("init", "backup", "restore", "check", "serve", "reembed", "model install", "version")
"""Commands that talk to no sidecar; they are only parsed here, and run in tests of their own."""
WITHOUT_CURL = {("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics"), ("GET", "/memory-routing/rules")}
"""Routes whose whole use is their path."""
WHOLE = {"/v1/usage", "/v1/times", "/v1/jobs"}
"""Sums, and the newest fifty jobs."""
OF_ITS_PARTITION = {("POST", "/v1/vector_stores/{store_id}/search")}
"""Refused to an operator; `test_vector_stores.py` runs it."""
ERASING = {("DELETE", "/v1/namespaces/{user}"), ("DELETE", "/v1/namespaces"), ("POST", "/v1/jobs")}
"""Routes that write every file anew, which takes seconds; `test_erasure.py` runs them, and here they are only found."""


def blocks(page: str) -> str:
    """The shell examples of a page, lines that go on joined."""
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    return "\n".join(BASH.findall(text)).replace("\\\n", " ")


# --- routes ---


@dataclass(frozen=True)
class Curl:
    """A request as an example on a page sends it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None

    @classmethod
    def of(cls, line: str) -> Curl:
        words = shlex.split(line.partition(" > ")[0].replace("$LITELLM_MASTER_KEY", KEY))
        given = list(pairwise(words))
        headers = dict(value.split(": ", 1) for name, value in given if name == "-H")
        body = next((value for name, value in given if name in ("-d", "--data-binary")), None)
        method = next((value for name, value in given if name == "-X"), "POST" if body else "GET")
        [url] = [word for word in words if word.startswith("http://localhost:8764")]
        return cls(method, url.removeprefix("http://localhost:8764"), headers, body)


def curls() -> list[Any]:
    lines = [line for line in blocks("api.md").splitlines() if line.startswith("curl")]
    return [pytest.param(Curl.of(line), id=f"{(curl := Curl.of(line)).method} {curl.path}") for line in lines]


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return Caller(master=True)


@dataclass(frozen=True)
class Served:
    """A sidecar that listens, its app, a client, and a config that names it."""

    engine: Engine
    described: Mapping[str, Any]
    client: httpx.AsyncClient
    config: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    directory, port = tmp_path_factory.mktemp("served"), free_port()
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump({"litellm_memory": {"sidecar": {"port": port}}}))
    async with opened_engine(directory / "data", sidecar={"port": port}) as engine:
        sidecar = with_page(create_app(engine, authenticate=authenticate))
        engine.spawn(serve(sidecar, engine))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False) as client:
            async with asyncio.timeout(10):
                while not await answers(client):
                    await asyncio.sleep(0.02)
            yield Served(engine, sidecar.openapi(), client, config)


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health")).status_code == 200
    except httpx.TransportError:
        return False


def route_of(curl: Curl, described: Mapping[str, Any]) -> tuple[str, str] | None:
    """The route that a request goes to, the most literal one first."""
    path = curl.path.partition("?")[0]
    for known in sorted(described["paths"], key=lambda known: known.count("{")):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) and curl.method.lower() in described["paths"][known]:
            return curl.method, known
    return None


@pytest.mark.parametrize("curl", curls())
async def test_every_curl_is_a_request_that_its_route_takes(served: Served, curl: Curl) -> None:
    route = route_of(curl, served.described)
    if route in ERASING | OF_ITS_PARTITION:
        return
    content = '{"text": "The office is in Lisbon."}\n' if (curl.body or "").startswith("@") else curl.body
    answer = await served.client.request(curl.method, curl.path, headers=dict(curl.headers), content=content)
    # The ids of the page are nobody's here.
    unknown = answer.status_code == 404 and answer.json()["error"]["message"].startswith(
        ("There is no", "This user has")
    )
    assert answer.is_success or unknown, answer.text


async def test_every_route_has_an_example(served: Served) -> None:
    shown = {route_of(curl.values[0], served.described) for curl in curls()}
    routes = {(method.upper(), path) for path, methods in served.described["paths"].items() for method in methods}
    assert routes - shown - WITHOUT_CURL == set()


# --- what machines are told of the routes ---


async def test_every_route_is_described_for_machines(served: Served) -> None:
    """Each says what it does, what each of its parameters means, and with which errors it may answer."""
    undescribed = []
    for path, methods in served.described["paths"].items():
        for method, told in methods.items():
            undescribed += [(method, path, "summary")] if not told.get("summary") else []
            undescribed += [(method, path, "tags")] if not told.get("tags") else []
            undescribed += [
                (method, path, given["name"])
                for given in told.get("parameters", ())
                if given["in"] == "query" and not given.get("description")
            ]
            errors = {status for status in told["responses"] if status.startswith(("4", "5"))}
            undescribed += [(method, path, "errors")] if not {"401", "404", "422"} <= errors else []
    assert undescribed == []


async def test_every_body_has_an_example_that_is_one(served: Served) -> None:
    shapes = served.described["components"]["schemas"]
    taken = [
        body["content"]["application/json"]["schema"]
        for methods in served.described["paths"].values()
        for told in methods.values()
        if "application/json" in (body := told.get("requestBody", {"content": {}}))["content"]
    ]
    bodies = [shapes[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in taken]
    assert [body["title"] for body in bodies if "example" not in body] == []
    assert [body["title"] for body in bodies if not set(body["example"]) <= set(body["properties"])] == []


async def test_every_list_comes_in_pages_by_a_cursor(served: Served) -> None:
    """Whatever answers with `data` takes `limit` and `cursor` and tells the next one; sums and reports are whole."""
    shapes, unpaged = served.described["components"]["schemas"], []
    for path, methods in served.described["paths"].items():
        answer = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        reference = answer.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "data" not in shapes.get(reference, {}).get("properties", {}) or path in WHOLE:
            continue
        taken = {given["name"] for given in methods["get"]["parameters"]}
        if not {"limit", "cursor"} <= taken or "next_cursor" not in shapes[reference]["properties"]:
            unpaged.append(path)
    assert unpaged == []


# --- commands ---


def examples() -> list[str]:
    """What follows `litellm-memory` in the shell examples of all pages, each once."""
    pages = sorted(page.name for page in (CHECKOUT / "docs").glob("*.md"))
    lines = [line for page in pages for line in blocks(page).splitlines() if line.startswith("litellm-memory ")]
    return list(dict.fromkeys(line.partition(" > ")[0].removeprefix("litellm-memory ") for line in lines))


def names(group: TyperGroup, before: tuple[str, ...] = ()) -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        inner = isinstance(command, TyperGroup)
        found += names(command, (*before, name)) if inner else [" ".join((*before, name))]
    return found


COMMANDS = sorted(names(typer.main.get_command(app)), key=len, reverse=True)  # type: ignore[arg-type]  # it is a group


def command_of(example: str) -> str:
    return next(name for name in COMMANDS if f"{example} ".startswith(f"{name} "))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"LITELLM_MASTER_KEY": KEY, "COLUMNS": "200"}, input="n\n")


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_has_an_example_and_says_what_it_takes(command: str) -> None:
    assert command == "version" or command in {command_of(example) for example in examples()}
    shown = run(*command.split(), "--help")
    assert (shown.exit_code, "Usage: " in shown.stdout) == (0, True)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("serve", "version", "export")])
async def test_every_command_prints_json_for_scripts(command: str) -> None:
    assert "--json" in run(*command.split(), "--help").stdout


def is_run(example: str) -> bool:
    """False for what needs no sidecar, and for what erases."""
    erases = command_of(example) == "forget" and not {"--user", "--all", "--now"}.isdisjoint(example.split())
    return command_of(example) not in NOT_RUN and not erases


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the examples name, in the working directory."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "memories.ndjson": '{"text": "The office is in Lisbon."}',
        "request.json": '{"messages": []}',
        "conversations.json": '[{"mapping": {}}]',
        "export.zip": '[{"chat_messages": []}]',
        "chats.json": "[]",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    shutil.copytree(CHECKOUT / "tests" / "data" / "past", tmp_path / ".claude" / "projects")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("example", [example for example in examples() if is_run(example)])
async def test_every_example_of_a_command_runs(served: Served, example: str, tmp_path: Path) -> None:
    words = [str(tmp_path / word[2:]) if word.startswith("~/") else word for word in shlex.split(example)]
    result = await asyncio.to_thread(run, *words, "--config", str(served.config))
    unknown = result.exit_code == 1 and "There is no " in result.stderr
    assert result.exit_code == 0 or unknown, result.output
