"""A page as a reader follows it: its config is saved, its proxy started, and its blocks of shell run in order.

Only places are exchanged: ports, and directories of the host.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bed.nest import NEST, Running, start_litellm
from bed.proxy import CHECKOUT, LONGEST_STOP, SLOWEST_START, free_port

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED_AS = re.compile(r"as `(\w+\.\w+)`:?$")
"""How the sentence before a block ends that is to be saved."""
SAYS = re.compile(r"^The answer says `([^`]+)`", re.MULTILINE)
START = re.compile(r"^litellm --config \S+.*$", re.MULTILINE)
LONGEST_BLOCK = 180.0
"""Seconds that a block may take; an erasure writes every file anew."""
PATIENCE: Mapping[str, Any] = {
    "recall": {"deadline_ms": 5000},
    "embedding": {"timeout_ms": 3000},
    "learn": {"meaning": False},
}
"""A busy machine may not decide what a test sees. What a text means is read by a model that takes seconds to load."""
CALLBACKS = "callbacks"
"""What is on the pages, and so is not taken from the checkout's config."""


def without_memory() -> dict[str, Any]:
    """LiteLLM's own part of the checkout's config, with the model that needs no provider."""
    config = yaml.safe_load((CHECKOUT / "config.yaml").read_text(encoding="utf-8"))
    own = {name: value for name, value in config.items() if name != "litellm_memory"}
    return {**own, "litellm_settings": {n: v for n, v in own["litellm_settings"].items() if n != CALLBACKS}}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the text between the one before and this one."""

    language: str
    code: str
    before: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a reader runs, and what the page then shows of its output or of the answer in it."""

    code: str
    shown: Block | None
    says: str | None


def blocks_of(text: str) -> Iterator[Block]:
    at = 0
    for found in FENCE.finditer(text):
        yield Block(found[1], found[2], text[at : found.start()].strip())
        at = found.end()


def steps_of(text: str) -> list[Step]:
    """The blocks of shell with what stands between each and the next: what it shows, and what it says of the answer."""
    steps: list[Step] = []
    blocks = [*blocks_of(text), Block("", "", text[max((one.end() for one in FENCE.finditer(text)), default=0) :])]
    for number, block in enumerate(blocks):
        if block.language == "bash":
            after = blocks[number + 1]
            said = SAYS.search(after.before)
            steps.append(Step(block.code, after if after.language in ("json", "text") else None, said and said[1]))
    return steps


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """``other`` laid over ``one``, sections merged."""
    both = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], Mapping) and isinstance(other[name], Mapping):
            both[name] = merged(one[name], other[name])
    return both


class Walk:
    """A reader's directory, variables and proxy. ``skipped``: lines that are left out, and why.

    The pages' files are saved, and what they configure is laid over the checkout's config without memory; ``variables``
    are there from the start.
    """

    def __init__(
        self, directory: Path, texts: Sequence[str], *, skipped: Mapping[str, str], variables: Mapping[str, str]
    ) -> None:
        self.port, self.sidecar_port = free_port(), free_port()
        self._directory = directory
        self._skipped = skipped
        self._process: Running | None = None
        self._places = {
            "localhost:4000": f"127.0.0.1:{self.port}",
            "localhost:8764": f"127.0.0.1:{self.sidecar_port}",
            "/backups/": f"{directory}/backups/",
            "/srv/": f"{directory}/srv/",
        }
        (directory / "backups").mkdir()
        config: dict[str, Any] = {}
        for block in (block for text in texts for block in blocks_of(text)):
            name = SAVED_AS.search(block.before)
            if block.language == "yaml":
                config = merged(config, yaml.safe_load(block.code))
            elif name:
                (directory / name[1]).write_text(block.code, encoding="utf-8")
        here = {"litellm_memory": {**PATIENCE, "sidecar": {"port": self.sidecar_port}}}
        config = merged(merged(without_memory(), config), here)
        (directory / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        self._shell = directory / "shell"
        self._shell.write_text("".join(f"export {name}={_quoted(value)}\n" for name, value in variables.items()))

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(LONGEST_STOP)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                raise

    @property
    def is_running(self) -> bool:
        """True once its proxy runs."""
        return self._process is not None

    def run(self, code: str) -> str:
        """What a block prints. AssertionError when a line of it fails, or a request is refused."""
        code = "\n".join(line for line in code.splitlines() if line.strip() not in self._skipped)
        before, start, after = code, START.search(code), ""
        if start is not None:
            before, after = code[: start.start()], code[start.end() :]
        printed = self._bash(before)
        if start is not None:
            self._start(start[0].split()[1:])
            printed += self._bash(after)
        return printed

    def variable(self, name: str) -> str:
        """A variable of the shell; empty for one that it has not."""
        return self._bash(f'printf %s "${name}"')

    def ask(self, key: str, said: str) -> httpx.Response:
        """The answer to somebody who says this to the demo model."""
        body = {"model": "demo", "messages": [{"role": "user", "content": said}]}
        headers = {"authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        return httpx.post(url, json=body, headers=headers, trust_env=False, verify=False, timeout=60).raise_for_status()

    def wait_until_learned(self, key: str) -> None:
        """Return when nothing that was said waits to be learned; ``key`` is an operator's."""
        with httpx.Client(
            headers={"authorization": f"Bearer {key}"}, trust_env=False, verify=False, timeout=60
        ) as client:
            url = f"http://127.0.0.1:{self.sidecar_port}/v1"
            deadline = time.monotonic() + SLOWEST_START
            while True:
                # The first of these answers when the ledger holds all requests so far.
                client.get(f"{url}/traces").raise_for_status()
                waits = client.get(f"{url}/state").raise_for_status().json()["waiting"]
                if not waits["to_learn"]:
                    return
                assert time.monotonic() < deadline, waits
                time.sleep(0.05)

    def _bash(self, code: str) -> str:
        for name, place in self._places.items():
            code = code.replace(name, place)
        # A request that is refused fails as a command does.
        script = (
            f'set -eo pipefail\n. {self._shell}\ncurl() {{ command curl --fail-with-body "$@"; }}\n'
            f"{code}\nexport -p > {self._shell}\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._directory,
            env=self._environment(),
            # Where a command asks, the reader means it.
            input="y\n" * 9,
            capture_output=True,
            text=True,
            timeout=LONGEST_BLOCK,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{self._log()}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR", NEST) if name in os.environ}
        return {
            **kept,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "HOME": str(self._directory),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser()),
            "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(self._directory))),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "NO_PROXY": "*",
        }

    def _start(self, arguments: Sequence[str]) -> None:
        """Starts the proxy of this config, and waits until it has memory."""
        assert self._process is None, "a page starts one proxy"
        exported = self._bash("env -0")
        environment = dict(line.split("=", 1) for line in exported.split("\0") if "=" in line)
        self._process = start_litellm(
            [*arguments, "--port", str(self.port)],
            directory=self._directory,
            environment=environment,
            log=self._directory / "proxy.log",
        )
        deadline = time.monotonic() + SLOWEST_START
        while not self._is_ready():
            assert self._process.poll() is None, self._log()
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            ready = f"http://127.0.0.1:{self.port}/memory-ready"
            return httpx.get(ready, trust_env=False, verify=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _log(self) -> str:
        log = self._directory / "proxy.log"
        return log.read_text(encoding="utf-8", errors="replace")[-3000:] if log.exists() else ""


def shows(printed: str, shown: Block) -> bool:
    """True when the output is what the page shows: the same JSON, or every line of it."""
    if shown.language == "json":
        told = json.loads(printed)
        # A checkout may have no embedding model yet.
        told.get("problems", {}).pop("model", None)
        return bool(told == json.loads(shown.code))
    lines = {line.strip() for line in printed.splitlines()}
    return {line.strip() for line in shown.code.splitlines()} <= lines


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
