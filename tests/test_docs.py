"""The pages tell the truth: settings, headers, routes, rooms, limits, links and examples, held against the code."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import typer
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from test_architecture import FLOORS
from typer.core import TyperGroup
from typer.testing import CliRunner

from litellm_memory.api.usage import UsageRow
from litellm_memory.care.erasure import operator_steps
from litellm_memory.cli import app
from litellm_memory.engine import Engine
from litellm_memory.errors import StoreError
from litellm_memory.extract.languages import languages
from litellm_memory.foreign import FORMATS
from litellm_memory.identity.headers import NAMES
from litellm_memory.ledger import GROUPINGS
from litellm_memory.models import Caller, Status
from litellm_memory.models import Kind as RequestKind
from litellm_memory.page import with_page
from litellm_memory.request.kinds import built_in_rules
from litellm_memory.settings import (
    RESTART_KEYS,
    SECTION,
    LearnSettings,
    Section,
    Settings,
    StoreSettings,
    load_settings,
)
from litellm_memory.sidecar import create_app
from litellm_memory.sidecar.tools import TOOLS, AddableKind
from litellm_memory.store import open_store
from litellm_memory.wire.recognition import recognise

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "litellm_memory"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DOCUMENTED = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)`")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section_of(page: str, title: str) -> str:
    """What stands under a heading of a page, down to the next heading of its level."""
    [found] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    return str(found)


def table_in(text: str) -> list[tuple[str, ...]]:
    """The rows of the first Markdown table, without its head."""
    below = dropwhile(lambda line: not line.startswith("|"), text.splitlines())
    lines = list(takewhile(lambda line: line.startswith("|"), below))
    return [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines[2:]]


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, code) of every fenced block in a language, in all pages."""
    return [
        (name_of(page), code)
        for page in PAGES
        for found, code in FENCE.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


# --- settings ---

TYPES: Mapping[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    re.Pattern[str]: "regular expression",
}


def described(annotation: Any, bounds: str) -> str:
    """The type of a setting in the words of the page."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return described(arguments[0], bounds)
    if origin in (Union, UnionType):
        [annotation] = [argument for argument in arguments if argument is not NoneType]
        return described(annotation, bounds)
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if origin is tuple:
        is_rule = isinstance(arguments[0], type) and issubclass(arguments[0], Section)
        return "list of rules" if is_rule else f"list of {described(arguments[0], '')}s"
    if annotation is SecretStr:
        return "secret"
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {described(arguments[0], '')} to {described(arguments[1], '')}"
    return f"{TYPES[annotation]}{bounds}"


def bounds_of(field: FieldInfo) -> str:
    """The range of a number, or the length of a text, as the page writes it."""
    low = next((f"{rule.ge:g}" for rule in field.metadata if isinstance(rule, Ge)), None)
    high = next((f"{rule.le:g}" for rule in field.metadata if isinstance(rule, Le)), None)
    low = low or next((f"more than {rule.gt:g}" for rule in field.metadata if isinstance(rule, Gt)), None)
    high = high or next((f"less than {rule.lt:g}" for rule in field.metadata if isinstance(rule, Lt)), None)
    longest = next((rule.max_length for rule in field.metadata if isinstance(rule, MaxLen)), None)
    shortest = next((rule.min_length for rule in field.metadata if isinstance(rule, MinLen)), 0)
    if longest is not None:
        return f", {shortest} to {longest} characters"
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f", {low} or more" if low is not None else ""


def default_of(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None or value == () or value == {}:
        return "none"
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"


def settings_table(model: type[Section] = Settings, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of every setting, in the order of the models."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield from settings_table(annotation, f"{prefix}{name}.")
            continue
        yield f"`{prefix}{name}`", described(annotation, bounds_of(field)), default_of(field), str(field.description)
        items = get_args(annotation)
        if items and isinstance(items[0], type) and issubclass(items[0], Section):
            yield from settings_table(items[0], f"{prefix}{name}[].")


def printed(*rows: tuple[str, ...]) -> str:
    """A table whose first row is its head."""
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *others])


def test_the_table_of_settings_is_the_models_own() -> None:
    """When it is not: `PYTHONPATH=. python tests/test_docs.py` prints the table that belongs there."""
    assert table_in(section_of("docs/configuration.md", "Settings")) == list(settings_table())


def test_the_keys_that_need_a_restart_are_named() -> None:
    [sentence] = re.findall(r"^A restart is needed for (.*)\.$", text_of("docs/configuration.md"), re.MULTILINE)
    assert names_in(sentence) == list(RESTART_KEYS)


def yaml_examples() -> list[Any]:
    return [
        pytest.param(code, id=f"{page} {number}")
        for number, (page, code) in enumerate(blocks("yaml"), 1)
        if {SECTION, "user_id_mappings"} & set(yaml.safe_load(code))
    ]


@pytest.mark.parametrize("code", yaml_examples())
def test_every_example_of_settings_loads(code: str, tmp_path: Path) -> None:
    environment = dict.fromkeys(re.findall(r"os\.environ/(\w+)", code), "postgresql+psycopg://somebody@host/base")
    assert isinstance(load_settings(yaml.safe_load(code), directory=tmp_path, environment=environment), Settings)


# --- rooms ---

DOTTED = re.compile(r"\w+(?:\.\w+)+")


def rooms_table() -> Iterator[tuple[str, str, str]]:
    """Floor, room and the first line of the room's docstring."""
    for number, rooms in enumerate(FLOORS, 1):
        for room in sorted(rooms):
            summary = (ast.get_docstring(tree_of(room.split("."))) or "").partition("\n")[0]
            yield str(number), f"`{room}`", summary.replace("``", "`").replace("|", "\\|")


def tree_of(module: Sequence[str]) -> ast.Module:
    """The source of a module or room of the package."""
    place = PACKAGE.joinpath(*module)
    return ast.parse((place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8"))


def is_in_the_package(dotted: str) -> bool:
    """True when a name such as ``recall.Recall.close`` leads from the package to a class, a function or a module."""
    place, scope = PACKAGE, list[ast.stmt]()
    for part in dotted.split("."):
        defined = [node for node in scope if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = [node.body for node in defined if node.name == part]
        place /= part
        if not inside and not place.is_dir() and not place.with_suffix(".py").exists():
            return False
        scope = inside[0] if inside else tree_of(place.relative_to(PACKAGE).parts).body
    return True


def test_the_table_of_rooms_is_made_from_their_docstrings() -> None:
    """When it is not: `PYTHONPATH=. python tests/test_docs.py` prints the table that belongs there."""
    assert table_in(section_of("docs/contributing.md", "The house")) == list(rooms_table())


def test_the_walk_with_a_request_names_what_exists() -> None:
    names = names_in(section_of("docs/contributing.md", "A walk with one request"))
    assert [name for name in names if DOTTED.fullmatch(name) and not is_in_the_package(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_the_package_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`(litellm_memory/[\w/.-]*)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


# --- limits ---


def knows_five_languages_and_asks_no_model() -> bool:
    return {language.name for language in languages()} == {
        "en",
        "de",
        "fr",
        "es",
        "zh",
    } and LearnSettings().model is None


def leaves_other_databases_to_the_operator() -> bool:
    elsewhere = {"ledger": {"url": "postgresql://somebody@host/base"}, "store": {"mode": "server"}}
    steps = operator_steps(Settings.model_validate(elsewhere))
    return [step.partition(":")[0] for step in steps] == [
        "On the Chroma server's host",
        "On the ledger's database",
        "What LiteLLM itself keeps",
        "Backups and exports that you made hold what they held",
    ]


def knows_conversations_alone() -> bool:
    others = ("arealtime", "acreate_thread", "acreate_batch", "aimage_generation", "aspeech", "aembedding")
    return not any(recognise(call, None, {"messages": [], "input": "", "prompt": ""}) for call in others)


def keeps_no_store_of_its_own_on_windows() -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        with pytest.raises(StoreError, match=r"store\.mode server"):
            asyncio.run(open_store(StoreSettings(), Path("nowhere"), embedder="test", dimension=8))
    return True


def finds_as_much_as_the_table_says() -> bool:
    told = text_of("docs/learning.md")
    return all(share in told for share in ("30 of 140", "16 of 85", "55 of 100", "38 of 60", "81 of 110", "44 of 60"))


LIMITS: Mapping[str, Callable[[], bool]] = {
    "On texts that strangers wrote it finds a fifth of the updates": finds_as_much_as_the_table_says,
    "Sentence patterns know English, German, French, Spanish and Chinese": knows_five_languages_and_asks_no_model,
    "Erasing covers the files of this host": leaves_other_databases_to_the_operator,
    "Realtime, assistants, batch, image, audio and embedding calls get no memory.": knows_conversations_alone,
    "On Windows it needs a Chroma server": keeps_no_store_of_its_own_on_windows,
}
"""The beginning of each limit that the README admits, and whether it is still true."""


def test_the_readme_admits_these_limits_and_no_other() -> None:
    lines = re.findall(r"^- (.*)$", section_of("README.md", "What it does not do yet"), re.MULTILINE)
    assert [line for line, limit in zip(lines, LIMITS, strict=True) if not line.startswith(limit)] == []


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_that_the_readme_admits_is_still_one(limit: str) -> None:
    assert LIMITS[limit]()


# --- numbers ---


def allows(requirement: str) -> bool:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    return requirement in (f"python{project['requires-python']}", *project["dependencies"])


NUMBERS: Mapping[str, Callable[[], bool]] = {
    "150 ms at most": lambda: Settings().recall.deadline_ms == 150,
    "at most 1000 tokens": lambda: Settings().recall.token_budget == 1000,
    "Python 3.11 or newer": lambda: allows("python>=3.11"),
    "LiteLLM 1.106.2 or newer": lambda: allows("litellm[proxy]>=1.106.2"),
    "<http://localhost:8764/>": lambda: Settings().sidecar.port == 8764,
    "Ten lines of config": lambda: section_of("README.md", "Ten lines of config").count("\n  ") == 9,
    "Its exit code is 1 when memory cannot work": lambda: checked("no-such-file.yaml") == 1,
    "about two seconds later": lambda: "What was learned was there 1.7 s after" in text_of("docs/benchmarks.md"),
    "mem0": lambda: "mem0" in FORMATS,
    "Apache-2.0": lambda: tomllib.loads(text_of("pyproject.toml"))["project"]["license"] == "Apache-2.0",
}
"""What the pages that a newcomer reads say in numbers, and whether it is so. What they show of an answer is run by
``test_walks.py``, and shares in words are ``LIMITS``."""
NEWCOMERS = ("README.md", "docs/quickstart.md", "docs/team.md")


def checked(config: str) -> int:
    """The exit code of a check."""
    return CliRunner().invoke(app, ["check", "--config", config]).exit_code


def prose_of(page: str) -> str:
    """A page without what is run or shown, names of code, numbers of headings, and addresses of links."""
    text = re.sub(r"^```(?:bash|yaml|json|text\nx-memory).*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)|^## \d+", "", text, flags=re.MULTILINE)


def test_every_number_that_a_newcomer_reads_is_held_by_a_check() -> None:
    prose = "\n".join(map(prose_of, NEWCOMERS))
    assert [phrase for phrase in NUMBERS if phrase not in prose] == []
    for phrase in NUMBERS:
        prose = prose.replace(phrase, "")
    assert [line for line in prose.splitlines() if re.search(r"\d", line)] == []


@pytest.mark.parametrize("phrase", NUMBERS)
def test_a_number_that_a_newcomer_reads_is_so(phrase: str) -> None:
    assert NUMBERS[phrase]()


# --- headers ---


def test_every_memory_header_is_documented_and_no_other() -> None:
    rows = table_in(section_of("docs/configuration.md", "Request headers"))
    assert {name for row in rows for cell in row[:2] for name in names_in(cell)} == set(NAMES)


def test_every_response_header_is_documented_and_no_other() -> None:
    rows = table_in(section_of("docs/configuration.md", "Response headers"))
    # Read from the source: importing the hooks would start LiteLLM's proxy in this process.
    sent = re.findall(r'"(x-memory-\w+)": ', text_of("litellm_memory/hooks/call.py"))
    assert [name for row in rows for name in names_in(row[0])] == sent


def test_every_status_is_documented_and_no_other() -> None:
    rows = table_in(section_of("docs/configuration.md", "What a status means"))
    assert [name for row in rows for name in names_in(row[0])] == list(get_args(Status))


def test_every_kind_of_request_is_documented_and_no_other() -> None:
    rows = table_in(section_of("docs/how-it-works.md", "Kinds of requests"))
    assert {name for row in rows for name in names_in(row[0])} == set(get_args(RequestKind))
    assert {rule.kind for rule in built_in_rules()} <= set(get_args(RequestKind))


# --- routes and commands ---


async def test_every_route_of_the_sidecar_is_documented_and_no_other(tmp_path: Path) -> None:
    async def nobody(headers: Mapping[str, str]) -> Caller:
        return Caller()

    engine = Engine(Settings(data_dir=tmp_path), count=len)
    try:
        sidecar = with_page(create_app(engine, authenticate=nobody))
    finally:
        await engine.aclose()
    served = {(method.upper(), path) for path, methods in sidecar.openapi()["paths"].items() for method in methods}
    assert set(DOCUMENTED.findall(section_of("docs/api.md", "Routes"))) == served


def commands(group: TyperGroup, before: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*before, name))
        else:
            yield " ".join((*before, name))


def command_line() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def test_every_command_is_documented_and_no_other() -> None:
    rows = table_in(text_of("docs/command-line.md"))
    assert {names_in(row[0])[0].removeprefix("litellm-memory ") for row in rows} == set(commands(command_line()))


def test_every_tool_for_agents_is_documented_with_what_it_takes() -> None:
    rows = table_in(section_of("docs/mcp.md", "Tools"))
    documented = {names_in(row[0])[0]: set(names_in(row[1].partition(";")[2])) for row in rows}
    kinds = set(get_args(AddableKind))
    assert {name: fields - kinds for name, fields in documented.items()} == {
        name: set(tool.takes.model_fields) for name, tool in TOOLS.items()
    }


def test_every_format_of_an_import_is_documented_and_no_other() -> None:
    [section] = re.findall(r"^### From another product\n(.*?)(?=^## )", text_of("docs/command-line.md"), re.M | re.S)
    assert [names_in(row[0])[0] for row in table_in(section)] == list(FORMATS)


def test_every_field_of_usage_is_documented_and_no_other() -> None:
    rows = table_in(section_of("docs/api.md", "Usage"))
    assert {name for row in rows for name in names_in(row[0])} == set(UsageRow.model_fields) - set(GROUPINGS)


def test_every_command_that_a_page_names_exists() -> None:
    known = sorted(commands(command_line()), key=len, reverse=True)
    named = [
        (name_of(page), called)
        for page in PAGES
        for called in re.findall(
            r"(?:^|`)litellm-memory ([a-z][^`\n]*)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert [found for found in named if not any(f"{found[1]} ".startswith(f"{name} ") for name in known)] == []


# --- examples ---


def curls() -> list[Any]:
    return [
        pytest.param(body, id=f"{page} {number}")
        for page, code in blocks("bash")
        for number, body in enumerate(re.findall(r"-d '([^']*)'", code), 1)
    ]


@pytest.mark.parametrize("body", curls())
def test_every_curl_sends_json(body: str) -> None:
    assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize(("page", "code"), blocks("json"))
def test_every_answer_shown_is_json(page: str, code: str) -> None:
    assert isinstance(json.loads(code), dict)


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_every_python_example_is_python(page: str, code: str) -> None:
    assert isinstance(ast.parse(code, page), ast.Module)


@pytest.mark.parametrize(("page", "code"), blocks("toml"))
def test_every_toml_example_is_toml(page: str, code: str) -> None:
    assert tomllib.loads(code)


@pytest.mark.parametrize(("page", "code"), blocks("yaml"))
def test_every_yaml_example_is_yaml(page: str, code: str) -> None:
    assert isinstance(yaml.safe_load(code), dict)


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["mcp"], *extras["model"], *extras["postgres"]]
    names = {re.split(r"[<>=]", requirement)[0] for requirement in needed}
    reasons = set(names_in(text_of("docs/decisions/dependencies.md")))
    assert {name for name in names if not {name, name.partition("[")[0]} & reasons} == set()


# --- style ---


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)#:\s]+\.md)", page.read_text(encoding="utf-8"))
        waiting += {(page.parent / link).resolve() for link in links} - reached
    assert set(PAGES) - reached == {ROOT / "docs" / "index.md"}  # where the documentation site begins


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_is_tidy(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^# .*$", FENCE.sub("", text), re.MULTILINE)
    assert text.startswith(f"{titles[0]}\n")
    assert len(titles) == 1
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


if __name__ == "__main__":
    print(printed(("key", "type", "default", "meaning"), *settings_table()))
    print(printed(("floor", "room", "what lives there"), *rooms_table()))
