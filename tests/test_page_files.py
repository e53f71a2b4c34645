"""What the page is made of: nothing of another host, no markup from texts, no inline script or style."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import litellm_memory.page
from litellm_memory.foreign import FORMATS
from litellm_memory.foreign.past import PROGRAMS

STATIC = Path(litellm_memory.page.__file__).parent / "static"
FILES = sorted(STATIC.iterdir())
SCRIPTS = [file for file in FILES if file.suffix == ".js"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_loads_anything_of_another_host_or_writes_markup(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+|@import|url\(", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser", text) == []
    assert re.findall(r"localStorage|sessionStorage|document\.cookie|console\.", text) == []


def test_the_document_has_no_inline_script_or_style_and_no_address_from_the_root() -> None:
    text = (STATIC / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]* src=)[^>]*>|<style|\sstyle=|\son\w+=", text) == []
    assert re.findall(r'(?:href|src)="/', text) == []
    scripts = "".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    assert re.findall(r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon", scripts) == ["fetch("]
    assert "new URL(`api/${path}`, document.baseURI)" in scripts


@pytest.mark.skipif(shutil.which("node") is None, reason="THE SCRIPTS OF THE PAGE WENT UNREAD: there is no node here")
def test_the_scripts_are_javascript(tmp_path: Path) -> None:
    for file in SCRIPTS:
        module = tmp_path / f"{file.stem}.mjs"
        module.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        subprocess.run(["node", "--check", str(module)], check=True)


def test_the_page_offers_every_format_and_program_that_can_be_read() -> None:
    text = (STATIC / "import.js").read_text(encoding="utf-8")
    offered = [json.loads(listed) for listed in re.findall(r"const (?:MEMORIES|CONVERSATIONS) = (\[.*\]);", text)]
    assert offered == [list(FORMATS), list(PROGRAMS)]
