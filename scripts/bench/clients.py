"""Real clients, each in a home of its own: what one was told, the next one knows. Nothing leaves the loopback."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bed.memories import Memories, mentioning
from bed.provider import Provider
from bed.proxy import Proxy
from clients_recipes import MODELS, RECIPES, Door, Recipe
from clients_tap import Asked, Tap

INSTALL_SECONDS = 600.0
RUN_SECONDS = 120.0
OPEN_SECONDS = 60.0
LEARN_SECONDS = 20.0
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody runs: what a client sends anywhere but to loopback fails at once."""
PERSONS = ("recalled", "nothing_relevant", "trivial", "frozen")
"""The reasons that memory gives for requests in which a person speaks."""

_THINGS = (
    "staging database", "build server", "backup bucket", "test cluster", "release branch", "metrics dashboard",
    "printer queue", "design archive", "support mailbox", "guest network", "load balancer", "billing sandbox",
    "search index", "mail relay", "video wall", "door camera", "coffee machine",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """What a client is told, and the question that another one is asked."""

    said: str
    question: str
    name: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A client that is on this machine, or the reason why it is not."""

    recipe: Recipe
    bin: Path | None
    version: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one client did. ``recalled``: the client that it was asked in had the fact in its request."""

    client: str
    version: str
    told: bool = False
    learned: bool = False
    label: str | None = None
    recalled_in: str = ""
    recalled: bool = False
    requests: int = 0
    side_calls: Sequence[str] = ()
    side_calls_with_new_block: int = 0
    also_learned: Sequence[str] = ()
    reason: str = ""


def main() -> int:
    """Installs, runs and prints; 1 when a client that ran was not remembered or a side-call left a trace."""
    arguments = _arguments()
    chosen = [recipe for recipe in RECIPES if not arguments.only or recipe.id in arguments.only]
    with _directory(arguments.into) as into:
        installed = [_installed(recipe, into) for recipe in chosen]
        seen = _all_seen([client for client in installed if client.bin])
    seen += [Seen(client.recipe.id, "", reason=client.reason) for client in installed if not client.bin]
    report = {"date": datetime.now(UTC).date().isoformat(), "clients": [asdict(row) for row in seen]}
    print(json.dumps(report, indent=2) if arguments.json else "\n".join(_table(seen)))
    return 0 if all(_is_well(row) for row in seen if row.version) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="CLIENT", choices=[recipe.id for recipe in RECIPES])
    parser.add_argument("--into", type=Path, help="install here and keep it (default: a temporary directory)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


@contextmanager
def _directory(into: Path | None) -> Iterator[Path]:
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        yield into.resolve()
        return
    with TemporaryDirectory(prefix="litellm-memory-clients-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


# --- installing ---


def _installed(recipe: Recipe, into: Path) -> Installed:
    directory = into / recipe.package.replace("/", "+")
    try:
        if recipe.registry == "npm":
            return Installed(recipe, *_from_npm(recipe, directory))
        return Installed(recipe, *_from_pypi(recipe, directory))
    except FileNotFoundError as error:
        return Installed(recipe, None, reason=f"{error.filename} is not on this machine")
    except subprocess.TimeoutExpired:
        return Installed(recipe, None, reason=f"not installed within {INSTALL_SECONDS:.0f} s")
    except subprocess.CalledProcessError as error:
        return Installed(recipe, None, reason=_last_line(error.stderr) or f"{error.cmd[0]} ended with an error")


def _from_npm(recipe: Recipe, directory: Path) -> tuple[Path, str]:
    directory.mkdir(parents=True, exist_ok=True)
    package = directory / "node_modules" / recipe.package / "package.json"
    if not package.exists():
        _run_quietly(
            ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(directory), recipe.package, *recipe.also]
        )
    return directory / "node_modules" / ".bin", str(json.loads(package.read_text(encoding="utf-8"))["version"])


def _from_pypi(recipe: Recipe, directory: Path) -> tuple[Path, str]:
    python = directory / "bin" / "python"
    if not (directory / "done").exists():
        venv.create(directory, with_pip=True)
        _run_quietly([str(python), "-m", "pip", "install", "--quiet", recipe.package, *recipe.also])
        (directory / "done").touch()
    told = f"import importlib.metadata as m; print(m.version({recipe.package!r}))"
    version = subprocess.run([str(python), "-c", told], capture_output=True, text=True, check=True).stdout.strip()
    return directory / "bin", version


def _run_quietly(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS)


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1][:160] if lines else ""


# --- running ---


def _all_seen(clients: Sequence[Installed]) -> list[Seen]:
    with ExitStack() as stack:
        name = TemporaryDirectory(prefix="litellm-memory-clients-", ignore_cleanup_errors=True)
        directory = Path(stack.enter_context(name))
        stack.callback(_end_daemons, directory)
        provider = stack.enter_context(Provider())
        proxy = stack.enter_context(Proxy(directory / "proxy", provider.url, memory={}, models=_models(provider.url)))
        tap = stack.enter_context(Tap(proxy.url))
        memories = Memories(proxy, stack.enter_context(proxy.sidecar()))
        memories.wait_until_ready(within=OPEN_SECONDS)
        bench = _Bench(directory, provider, tap, memories, Door(tap.url, proxy.master_key))
        facts = [_fact(number) for number in range(len(clients))]
        told = [bench.tell(client, fact) for client, fact in zip(clients, facts, strict=True)]
        return [
            bench.ask(row, fact, clients[(number + 1) % len(clients)])
            for number, (row, fact) in enumerate(zip(told, facts, strict=True))
        ]


def _models(provider: str) -> list[dict[str, Any]]:
    def model(name: str, at: str, base: str) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": {"model": at, "api_key": "sk-provider", "api_base": base}}

    openai, claude, gemini = MODELS
    return [
        model(openai, "openai/gpt-4o-mini", f"{provider}/v1"),
        model(claude, "anthropic/claude-sonnet-4-5", provider),
        model(gemini, "gemini/gemini-2.0-flash", f"{provider}/v1beta"),
    ]


def _fact(number: int) -> Fact:
    thing, name = _THINGS[number % len(_THINGS)], f"heron-{42 + number}"
    return Fact(f"My {thing} is called {name}.", f"What is my {thing} called?", name)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The parts that a run needs."""

    directory: Path
    provider: Provider
    tap: Tap
    memories: Memories
    door: Door

    def tell(self, client: Installed, fact: Fact) -> Seen:
        """Tells the client a fact and waits until it is learned, or some seconds."""
        before = {memory["id"] for memory in self.memories.of("default")}
        failed = self._run(client, fact.said)
        asked, bodies = self._noted()
        new = [memory for memory in self._learned(fact.name) if memory["id"] not in before]
        about = mentioning(new, fact.name)
        return Seen(
            client=client.recipe.id,
            version=client.version,
            told=any(fact.name in body for body in bodies),
            learned=bool(about),
            label=about[0]["origin"]["client"] if about else None,
            requests=len(asked),
            side_calls=[request.reason for request in asked if _is_side_call(request)],
            side_calls_with_new_block=sum(_is_side_call(request) and request.memory == "injected" for request in asked),
            also_learned=[memory["text"][:200] for memory in new if memory["text"] != fact.said],
            reason=failed,
        )

    def ask(self, row: Seen, fact: Fact, client: Installed) -> Seen:
        """Asks another client for the fact: was it in the request that reached the provider?"""
        failed = self._run(client, fact.question)
        asked, bodies = self._noted()
        calls = [*row.side_calls, *(f"{client.recipe.id}: {call.reason}" for call in asked if _is_side_call(call))]
        return Seen(
            **{
                **asdict(row),
                "recalled_in": client.recipe.id,
                "recalled": any(fact.name in body for body in bodies),
                "side_calls": calls,
                "side_calls_with_new_block": row.side_calls_with_new_block
                + sum(_is_side_call(request) and request.memory == "injected" for request in asked),
                "reason": row.reason or (f"{client.recipe.id}: {failed}" if failed else ""),
            }
        )

    def _noted(self) -> tuple[list[Asked], list[str]]:
        """The client's requests to models, and the bodies that reached the provider."""
        asked = [request for request in self.tap.take() if request.method == "POST"]
        return asked, [received.raw.decode("utf-8", "replace") for received in self.provider.take()]

    def _learned(self, name: str) -> list[dict[str, Any]]:
        with suppress(TimeoutError):
            self.memories.wait_for("default", lambda found: bool(mentioning(found, name)), within=LEARN_SECONDS)
        return self.memories.of("default")

    def _run(self, client: Installed, words: str) -> str:
        """Lets the client speak once; the end of what it wrote when it failed, else nothing."""
        assert client.bin is not None
        home, recipe = self.directory / client.recipe.package.replace("/", "+"), client.recipe
        # All work in one directory: what somebody says of their work belongs to the project that it was said in.
        project = self.directory / "project"
        project.mkdir(exist_ok=True)
        for path, content in recipe.files(self.door).items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(content, encoding="utf-8")
        if recipe.registry == "npm":
            # A program given as text finds the package only from the directory that it runs in.
            (project / "node_modules").unlink(missing_ok=True)
            (project / "node_modules").symlink_to(client.bin.parent)
        command = [part.replace("{words}", words) for part in recipe.command]
        program = shutil.which(command[0], path=f"{client.bin}{os.pathsep}{os.environ['PATH']}")
        if program is None:
            return f"{command[0]} is not in the package"
        environment = {**_environment(home, client.bin), **recipe.environment(self.door)}
        return _ended([program, *command[1:]], project, environment)


def _environment(home: Path, bin: Path) -> dict[str, str]:
    return {
        "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CI": "1",
        "DO_NOT_TRACK": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    }


def _ended(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> str:
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"not done within {RUN_SECONDS:.0f} s"
    return "" if process.returncode == 0 else _last_line(output) or f"ended with {process.returncode}"


def _end_daemons(directory: Path) -> None:
    """Ends what clients left running: all whose home is in ``directory``. Linux only, elsewhere nothing."""
    home = f"HOME={directory}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if any(value.startswith(home) for value in environment.read_bytes().split(b"\0")):
                os.kill(int(environment.parent.name), signal.SIGTERM)


def _is_side_call(asked: Asked) -> bool:
    return bool(asked.memory) and asked.reason not in PERSONS


# --- the table ---


def _is_well(row: Seen) -> bool:
    quiet = row.side_calls_with_new_block == 0 and not row.also_learned
    return row.told and row.learned and row.recalled and quiet


_HEAD = ("client", "version", "told", "learned, as", "recalled in", "requests", "side-calls", "also learned", "")


def _table(rows: Sequence[Seen]) -> Iterator[str]:
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|{'---|' * len(_HEAD)}"
    for row in rows:
        calls = ", ".join(sorted(set(row.side_calls))) or "none"
        if row.side_calls_with_new_block:
            calls += f" ({row.side_calls_with_new_block} WITH A NEW BLOCK)"
        cells = (
            row.client,
            row.version,
            _yes(row.told),
            f"{_yes(row.learned)}, {row.label}",
            f"{row.recalled_in}: {_yes(row.recalled)}",
            str(row.requests),
            calls,
            "; ".join(row.also_learned) or "nothing",
            row.reason,
        )
        yield f"| {' | '.join(cells)} |" if row.version else f"| {row.client} | not installed |||||||{row.reason} |"


def _yes(value: bool) -> str:
    return "yes" if value else "NO"


if __name__ == "__main__":
    sys.exit(main())
