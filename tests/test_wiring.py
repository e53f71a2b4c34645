"""One line in LiteLLM's config is enough; a bad section stops the proxy, and a changed one is taken up as it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bed.provider import Provider
from bed.proxy import CHECKOUT, SLOWEST_START, Proxy

QUESTION = {"model": "gpt", "messages": [{"role": "user", "content": "What is my staging database called?"}]}


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def status(proxy: Proxy) -> str | None:
    with proxy.client() as client:
        return client.post("/v1/chat/completions", json=QUESTION).headers.get("x-memory-status")


def test_a_bad_section_stops_the_proxy_with_one_sentence(tmp_path: Path, session_provider: Provider) -> None:
    proxy = Proxy(tmp_path, session_provider.url, memory={"recal": {"max_memories": 3}})
    proxy.launch()
    proxy.wait_for_exit(within=SLOWEST_START)
    assert "litellm_memory.recal: unknown key; the nearest known one is recall." in proxy.log


@pytest.fixture(scope="module")
def plain(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy whose config has the callback and no section; the last test that takes it adds one."""
    callbacks = {"litellm_settings": {"callbacks": ["litellm_memory.handler"]}}
    with Proxy(tmp_path_factory.mktemp("plain"), session_provider.url, config=callbacks) as proxy:
        yield proxy


def test_the_callback_line_alone_is_enough(plain: Proxy) -> None:
    until(lambda: status(plain) == "empty")
    assert (plain.directory / ".litellm-memory" / "ledger.db").exists()


def test_a_changed_section_holds_without_a_restart_and_a_bad_change_does_not(plain: Proxy) -> None:
    # A busy machine may not decide what a request is told.
    section = {"recall": {"deadline_ms": 5000}}

    def change(**changed: Any) -> None:
        plain.write_config({**plain.config, "litellm_memory": {**section, **changed}})

    change(inject=False)
    until(lambda: status(plain) == "off")
    change(inject="perhaps")
    until(lambda: "The changed config is not used: litellm_memory.inject" in plain.log)
    assert status(plain) == "off"
    change(data_dir="elsewhere")
    until(lambda: "A restart is needed before these settings hold: data_dir." in plain.log)
    until(lambda: status(plain) == "empty")
    assert not (plain.directory / "elsewhere").exists()


@pytest.mark.long
def test_the_wheel_works_in_a_litellm_that_knows_nothing_of_the_checkout(tmp_path: Path) -> None:
    """Built as a release is, installed without its dependencies into a directory of its own, run from another one."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source, site, work = tmp_path / "source", tmp_path / "site", tmp_path / "work"
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(source)], check=True)
    model = [sys.executable, "-m", "litellm_memory", "model", "install", "--into", "litellm_memory/model"]
    subprocess.run(model, cwd=source, check=True, capture_output=True)
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)], check=True
    )
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    work.mkdir()
    code = (
        "import litellm_memory, litellm_memory.embedding as e;"
        "import pathlib, litellm_memory.page as p; page = pathlib.Path(p.__file__).parent / 'static';"
        "print(litellm_memory.__file__, e.LocalModel.open(e.find_model()).embed(['hello']).shape);"
        "print(*sorted(file.name for file in page.iterdir()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    shown = subprocess.run([sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True)
    page = sorted(file.name for file in (CHECKOUT / "litellm_memory" / "page" / "static").iterdir())
    assert shown.stdout == f"{site}/litellm_memory/__init__.py (1, 384)\n{' '.join(page)}\n", shown.stderr
