"""The page on threats names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert named
    assert [pair for pair in named if pair[1] not in functions_of(pair[0])] == []


def test_every_threat_names_a_test() -> None:
    for title in ("## Threats", "## What the first version let through"):
        threats = PAGE.read_text(encoding="utf-8").partition(title)[2].partition("\n## ")[0]
        rows = [line for line in threats.splitlines() if line.startswith("| ")][1:]
        assert rows, title
        assert [row for row in rows if not NAMED.search(row)] == []


def test_the_worst_that_was_let_through_is_named_where_weaknesses_are_reported() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = (PAGE.parent.parent / "SECURITY.md").read_text(encoding="utf-8").partition("before the first release")[2]
    high = [line for line in page.splitlines() if line.startswith("| high |")]
    assert len([line for line in told.splitlines() if line.startswith("- ")]) == len(high) > 0


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
