"""The measures of the package, by `ast` alone: `tests/test_architecture.py` holds the limits, this prints the figures.

A room is the first folder or the flat module that a file is in.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "litellm_memory"
PACKAGE = Path(__file__).resolve().parent.parent / NAME
LONG_MODULE = 350
LARGE_CLASS = 20
LARGE_ENGINE = 12
SHOWN = 10
"""Longest functions that are printed."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    path: str
    """Below the package, such as `wire/content.py`."""
    lines: Sequence[str]
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.partition("/")[0].removesuffix(".py")


def read(package: Path = PACKAGE) -> list[Module]:
    """Every Python file of the package, by path."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    return [
        Module(path.relative_to(package).as_posix(), text.splitlines(), ast.parse(text)) for path, text in texts.items()
    ]


# --- rooms ---


def flat_modules(modules: Sequence[Module]) -> list[str]:
    return [module.path for module in modules if "/" not in module.path]


def folders(modules: Sequence[Module]) -> list[str]:
    """The rooms that are folders."""
    return sorted({module.room for module in modules if "/" in module.path})


def lines_of_rooms(modules: Sequence[Module]) -> dict[str, int]:
    """Lines of Python by room, the largest first."""
    lines = dict.fromkeys((module.room for module in modules), 0)
    for module in modules:
        lines[module.room] += len(module.lines)
    return _largest_first(lines)


def imported(module: Module) -> Iterator[str]:
    """The full name of each module that this one imports anywhere, also inside functions."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == NAME:
            yield from (f"{NAME}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def arrows(modules: Sequence[Module]) -> dict[str, set[str]]:
    """The rooms that each room imports. The package's own `__init__` is left out."""
    rooms = {module.room for module in modules}
    found = defaultdict[str, set[str]](set)
    for module in modules:
        if module.path != "__init__.py":
            names = (name.split(".") for name in imported(module))
            found[module.room] |= {name[1] for name in names if name[0] == NAME and len(name) > 1} & rooms
    return {room: others - {room} for room, others in sorted(found.items())}


# --- sizes ---


def lines_of_modules(modules: Sequence[Module]) -> dict[str, int]:
    """Lines by module, the longest first; settings.py, one list of fields, is left out."""
    return _largest_first({module.path: len(module.lines) for module in modules if module.path != "settings.py"})


def methods_of_classes(modules: Sequence[Module]) -> dict[str, int]:
    """Methods by class, the most first."""
    return _largest_first(
        {
            f"{module.path} {node.name}": sum(isinstance(item, Function) for item in node.body)
            for module in modules
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef)
        }
    )


def lines_of_bodies(modules: Sequence[Module]) -> dict[str, int]:
    """Lines of each function below its docstring, the longest first. Stubs are left out."""
    bodies = {
        f"{module.path}:{node.lineno} {node.name}": node.body[bool(ast.get_docstring(node)) :]
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, Function)
    }
    return _largest_first(
        {name: (body[-1].end_lineno or 0) - body[0].lineno + 1 for name, body in bodies.items() if not _is_stub(body)}
    )


def percentile(sizes: Mapping[str, int], share: float) -> int:
    return sorted(sizes.values())[int(len(sizes) * share)]


def _is_stub(body: Sequence[ast.stmt]) -> bool:
    return not body or ast.unparse(body[0]) == "..."


def _largest_first(sizes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


# --- what a reader stumbles over ---


def catch_alls(modules: Sequence[Module]) -> dict[str, bool]:
    """Handlers of `Exception`, `BaseException` or anything; and whether a comment beside them gives a reason."""
    return {
        f"{module.path}:{node.lineno}": any(
            _has_comment(line) for line in module.lines[node.lineno - 2 : node.lineno + 1]
        )
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _catches_all(node)
    }


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def _has_comment(line: str) -> bool:
    return line.lstrip().startswith("#") or "  # " in line


def classes_named_twice(modules: Sequence[Module]) -> dict[str, list[str]]:
    """Where each class name is used that more than one class has."""
    places = defaultdict[str, list[str]](list)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module.path)
    return {name: paths for name, paths in sorted(places.items()) if len(paths) > 1}


# --- print ---


def report(modules: Sequence[Module]) -> Iterator[str]:
    """The lines that the script prints."""
    lines, others = lines_of_rooms(modules), arrows(modules)
    yield f"{len(folders(modules))} folders, {len(flat_modules(modules))} flat modules, {sum(lines.values())} lines"
    yield from (f"  {count:6} {room}" for room, count in lines.items())
    yield f"\n{sum(map(len, others.values()))} arrows between rooms"
    yield from (f"  {room} -> {' '.join(sorted(names))}" for room, names in others.items() if names)
    yield f"\nmodules over {LONG_MODULE} lines, without settings.py"
    yield from (f"  {size:6} {name}" for name, size in lines_of_modules(modules).items() if size > LONG_MODULE)
    yield f"\nclasses over {LARGE_CLASS} methods, and Engine over {LARGE_ENGINE}"
    for name, size in methods_of_classes(modules).items():
        if size > (LARGE_ENGINE if name.endswith(" Engine") else LARGE_CLASS):
            yield f"  {size:6} {name}"
    bodies = lines_of_bodies(modules)
    median, p95 = percentile(bodies, 0.5), percentile(bodies, 0.95)
    yield f"\n{len(bodies)} functions: median {median}, p95 {p95}, max {max(bodies.values())} lines; the longest"
    yield from (f"  {size:6} {name}" for name, size in list(bodies.items())[:SHOWN])
    handlers = catch_alls(modules)
    yield f"\n{len(handlers)} catch-alls; without a reason"
    yield from (f"  {name}" for name, reason in handlers.items() if not reason)
    yield "\nclass names used twice"
    yield from (f"  {name}: {' '.join(paths)}" for name, paths in classes_named_twice(modules).items())


if __name__ == "__main__":
    print("\n".join(report(read())))
