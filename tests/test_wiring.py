"""One line in LiteLLM's config is enough; a bad section stops the proxy, and a changed one is taken up as it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bed.provider import Provider
from bed.proxy import CHECKOUT, Proxy

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
    proxy.wait_for_exit(within=60)
    assert "litellm_memory.recal: unknown key; the nearest known one is recall." in proxy.log


def test_a_changed_section_holds_without_a_restart_and_a_bad_change_does_not(
    tmp_path: Path, session_provider: Provider
) -> None:
    with Proxy(tmp_path, session_provider.url, memory={}) as proxy:
        until(lambda: status(proxy) == "empty")
        section = proxy.config["litellm_memory"]
        proxy.write_config({**proxy.config, "litellm_memory": {**section, "inject": False}})
        until(lambda: status(proxy) == "off")
        proxy.write_config({**proxy.config, "litellm_memory": {**section, "inject": "perhaps"}})
        until(lambda: "The changed config is not used: litellm_memory.inject" in proxy.log)
        assert status(proxy) == "off"
        proxy.write_config({**proxy.config, "litellm_memory": {**section, "data_dir": "elsewhere"}})
        until(lambda: "A restart is needed before these settings hold: data_dir." in proxy.log)
        until(lambda: status(proxy) == "empty")
        assert not (tmp_path / "elsewhere").exists()


def test_the_callback_line_alone_is_enough(tmp_path: Path, session_provider: Provider) -> None:
    with Proxy(
        tmp_path, session_provider.url, config={"litellm_settings": {"callbacks": ["litellm_memory.handler"]}}
    ) as proxy:
        until(lambda: status(proxy) == "empty")
        assert (tmp_path / ".litellm-memory" / "ledger.db").exists()


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
        "print(litellm_memory.__file__, e.LocalModel.open(e.find_model()).embed(['hello']).shape)"
    )
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    shown = subprocess.run([sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True)
    assert shown.stdout == f"{site}/litellm_memory/__init__.py (1, 384)\n", shown.stderr
