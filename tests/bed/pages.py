"""The pages for people who come from another proxy: their tables, and their configurations as one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bed.proxy import CHECKOUT

JSON: TypeAlias = dict[str, Any]

PAGES = CHECKOUT / "docs" / "coming-from"
NAMES = ("ai-mem", "maia", "memento", "ai-proxy-gateway", "litellm-memory-proxy")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of a predecessor: its number, its name, what becomes of it, and the tests that show it."""

    number: int
    theirs: str
    here: str
    tests: tuple[str, ...]


def text_of(name: str) -> str:
    """The page of a predecessor."""
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def rows_of(name: str) -> list[Row]:
    """The rows of all tables of a page that begin with a number."""
    cells = [line.strip("|").split(" | ") for line in text_of(name).splitlines() if re.match(r"\| \d+ \|", line)]
    return [
        Row(int(number), theirs.strip(), here.strip(), tuple(re.findall(r"`([\w/]+\.py::\w+)`", shown)))
        for number, theirs, here, shown in cells
    ]


def configurations(name: str) -> list[JSON]:
    """Every configuration on a page, the whole one first."""
    found = re.findall(r"^```yaml\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)
    return [dict(yaml.safe_load(code)) for code in found]


def all_in_one() -> JSON:
    """The first configuration of every page, laid together: their lists one after the other."""
    together: JSON = {}
    for name in NAMES:
        together = _joined(together, configurations(name)[0])
    return together


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> JSON:
    joined = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], Mapping):
            joined[key] = _joined(one[key], other[key])
        elif isinstance(one[key], list):
            joined[key] = [*one[key], *(item for item in other[key] if item not in one[key])]
    return joined


def variables_of(configuration: Any) -> set[str]:
    """The environment variables that a configuration reads."""
    return set(re.findall(r"os\.environ/(\w+)", yaml.safe_dump(configuration)))


def names_of_tests(directory: Path) -> set[str]:
    """``file.py::test_name`` of every test function of a directory."""
    return {
        f"{path.name}::{name}"
        for path in directory.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
