"""What commands print is what is kept: nothing in it is obeyed by the terminal."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from litellm_memory.cli.portable import _output
from litellm_memory.terminal.print import as_json, fields, table, visible

CLI = Path(__file__).parent.parent / "litellm_memory" / "cli"
HIDDEN = "I like \x1b[8mtea\x1b[0m\x1b]0;title\x07 and \u202e\u2066coffee\u2069 \x9b31m \ufeff\xad\x7f\r."
SHOWN = r"I like \u001b[8mtea\u001b[0m\u001b]0;title\u0007 and \u202e\u2066coffee\u2069 \u009b31m \ufeff\u00ad\u007f\r."


@pytest.mark.parametrize("text", ["Grüße", "خانه‌ها", "👩‍💻", "one\ntwo\tthree", ""])
def test_ordinary_text_is_printed_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_control_and_format_characters_are_printed_as_escapes() -> None:
    assert visible(HIDDEN) == SHOWN


def test_every_way_of_printing_shows_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    fields({"text": HIDDEN, "tags": [HIDDEN]})
    table(("id",), [(HIDDEN,)], empty="")
    table(("id",), [], empty=HIDDEN)
    as_json({"text": HIDDEN})
    told = capsys.readouterr()
    printed = told.err + told.out
    assert visible(printed) == printed
    assert printed.count(r"\u001b[8mtea") == 5
    assert json.loads(printed[printed.index("{") :])["text"] == HIDDEN


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_export_is_exact_unless_a_person_looks_at_it(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    exported = f'{{"text": "{HIDDEN} Grüße"}}\n'
    with _output(None) as output:
        for byte in exported.encode():
            output.write(bytes([byte]))
    printed = capfdbinary.readouterr().out.decode()
    assert printed == (exported.replace(HIDDEN, SHOWN) if is_terminal else exported)


def test_no_command_prints_past_it() -> None:
    past = [
        f"{file.name}:{node.lineno}"
        for file in CLI.glob("*.py")
        if file.name != "print.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "echo")
            or (isinstance(node.func, ast.Name) and node.func.id == "print")
        )
    ]
    assert past == []
