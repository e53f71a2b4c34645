"""Output of commands: tables for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def as_json(value: Any) -> None:
    """Prints ``value`` as JSON, indented."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Prints rows under their columns, or ``empty`` when there are none; ids and names are not truncated."""
    printed = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        whole = column in ("id", "user", "score", "said", "kind")
        printed.add_column(column, no_wrap=whole, overflow="fold")
    for row in rows:
        # What people said may look like markup, but is not.
        printed.add_row(*(Text(_cell(value)) for value in row))
    if printed.rows:
        Console(soft_wrap=False).print(printed)
    else:
        typer.echo(empty)


def fields(values: Mapping[str, Any]) -> None:
    """Prints one item, a field per line, without empty fields."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        if value not in (None, [], {}, ""):
            typer.echo(f"{name:<{width}}  {_cell(value)}")


def memory_rows(memories: Iterable[Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
    """The rows of a table of memories."""
    for memory in memories:
        gone = "  (superseded)" if memory["superseded_by"] else ""
        project = memory["project"] or ""
        yield memory["id"], memory["user"], memory["kind"], project, memory["created"][:10], f"{memory['text']}{gone}"


MEMORY_COLUMNS = ("id", "user", "kind", "project", "said", "text")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return "  ".join(f"{name}={_cell(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
