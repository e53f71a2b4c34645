"""The house: imports point down the floors, and each neighbour's library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "litellm_memory"
FLOORS = (
    {"models", "errors"},
    {"settings", "text", "wire", "render", "redact", "screening", "foreign", "files"},
    {"identity", "embedding", "llm", "store", "ledger", "extract", "metrics"},
    {"index"},
    {"memories"},
    {"recall", "learn"},
    {"care"},
    {"request"},
    {"engine"},
    {"hooks", "sidecar", "demo_model"},
    {"cli"},
    {"__main__"},
)
DOORS = {
    "chromadb": {"store"},
    "fastapi": {"sidecar"},
    "uvicorn": {"sidecar"},
    "sqlalchemy": {"ledger"},
    "mcp": {"sidecar"},
    "mcp_types": {"sidecar"},
    "prometheus_client": {"metrics"},
    "opentelemetry": {"hooks"},
    "msgpack": {"store"},
    "onnx": {"embedding"},
    "onnxruntime": {"embedding"},
    "tokenizers": {"embedding"},
    "litellm": {"hooks", "llm", "demo_model"},
    "yaml": {"cli", "settings", "identity", "request", "wire", "extract", "redact", "screening"},
    "typer": {"cli"},
    "regex": {"text", "extract", "screening"},
    "Stemmer": {"text"},
}


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, room, imported module) of every import of the package, also of those inside functions."""
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = (
                    [f"litellm_memory.{alias.name}" for alias in node.names]
                    if node.module == "litellm_memory"
                    else [node.module]
                )
            for name in names:
                yield path.relative_to(PACKAGE).as_posix(), room, name


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_stands_on_one_floor() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert modules | packages == set().union(*FLOORS)


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
    import subprocess
    import sys

    code = "import sys, litellm_memory; print(sorted({'litellm', 'chromadb', 'onnxruntime'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
