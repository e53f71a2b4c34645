"""What the command line shows and understands: tables in 80 columns and in pipes, dates, short ids, filters, speed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from litellm_memory import __version__
from litellm_memory.cli import app
from litellm_memory.client import completion
from litellm_memory.client.address import address_in
from litellm_memory.settings import SidecarSettings
from litellm_memory.terminal.dates import DateError, moment, span
from litellm_memory.terminal.layout import cells, laid_out
from litellm_memory.terminal.print import MEMORY_COLUMNS, memory_rows, table

NOW = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)  # a Saturday
SPACE = "0123456789abcdef"
FIRST, SECOND = SPACE + "a1" + "0" * 22, SPACE + "a2" + "0" * 22


def memory(memory_id: str = FIRST, **fields: Any) -> dict[str, Any]:
    """A memory as the API shows it."""
    usual: dict[str, Any] = {
        "partition": "default",
        "text": "Our CI runs on Buildkite, in the project that has the longest name of all.",
        "kind": "preference",
        "user": "somebody.with.a.long.name@example.com",
        "project": "github.com/acme-international/payments-service",
        "created": "2026-11-27T10:00:00Z",
        "superseded_by": None,
        "reply": None,
        "review": None,
        "valid_until": None,
        "session": None,
        "last_used": None,
        "uses": 0,
        "pinned": False,
        "tags": [],
    }
    return {"id": memory_id, **usual, **fields}


# --- tables ---


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_table_fits_the_width_and_its_text_is_whole(width: int) -> None:
    rows = [[str(cell) for cell in row] for row in memory_rows([memory(), memory(text="好" * 100)])]
    lines = [*laid_out(MEMORY_COLUMNS, rows, width)]
    assert max(map(cells, lines)) <= width
    assert "".join(lines).replace(" ", "").count("好") == 100
    assert "Our CI runs on Buildkite, in the project" in " ".join(" ".join(lines).split())


def test_a_terminal_gets_short_ids_and_a_pipe_whole_values_between_tabs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*memory_rows([memory(text="heron-42 is\nthe staging database")])]
    table(MEMORY_COLUMNS, rows, empty="none")
    assert capsys.readouterr().out.split("\t") == [
        FIRST,
        "preference",
        "somebody.with.a.long.name@example.com",
        "github.com/acme-international/payments-service",
        "2026-11-27",
        "heron-42 is the staging database\n",
    ]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    table(MEMORY_COLUMNS, rows, empty="none")
    shown = capsys.readouterr().out
    assert (FIRST[16:24] in shown, FIRST in shown, max(map(len, shown.splitlines())) <= 80) == (True, False, True)


def test_an_empty_pipe_is_empty_and_the_sentence_goes_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    table(("id",), [], empty="There is none.")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "There is none.\n")


# --- dates ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d", NOW - timedelta(days=3)),
        ("2 weeks ago", NOW - timedelta(weeks=2)),
        ("90m", NOW - timedelta(minutes=90)),
        ("today", datetime(2026, 11, 28, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 27, tzinfo=UTC)),
        ("monday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("saturday", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:00:00Z", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_times_are_understood_as_people_write_them(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "3", "yesterdya", "2026-13-01", "99999999d"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DateError, match="write it as 3d, 2w, yesterday"):
        moment(text, NOW)
    with pytest.raises(DateError, match="write it as 12h, 30d"):
        span(text)


# --- beside a running sidecar ---


class Sidecar(BaseHTTPRequestHandler):
    """Answers as the sidecar does, from ``memories``; notes what it was asked."""

    memories: tuple[dict[str, Any], ...] = (memory(), memory(SECOND, text="The office is in Lisbon.", project="shop"))
    asked: list[tuple[str, str, Any]]

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, body))
        answer = json.dumps(self._found(body)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = _answer

    def _found(self, body: Any) -> Mapping[str, Any]:
        if self.path.startswith("/v1/namespaces"):
            return {"data": [{"user": "ada"}, {"user": "bob"}], "next_cursor": None}
        if self.path == "/v1/bulk":
            return {"done": body["ids"], "skipped": []}
        if self.path == "/v1/browse":
            wanted = [one for one in self.memories if one["id"][16:].startswith(body.get("id", ""))]
            return {"data": [{"memory": one} for one in wanted], "next_cursor": None, "users": []}
        if self.path.startswith("/v1/memories/search"):
            return {"results": [{"memory": one, "score": 0.5} for one in self.memories]}
        if self.path.startswith("/v1/partitions"):
            told = {"teams": [], "memories": 2, "waiting": 0, "last_seen": None}
            return {"data": [{"partition": "default", "label": "ada", **told}], "next_cursor": None}
        if self.path.startswith(("/v1/review", "/v1/traces", "/v1/usage")):
            return {"data": [], "next_cursor": None}
        if self.path.startswith("/v1/memories/"):
            return next(one for one in self.memories if one["id"] in self.path)
        return {"data": list(self.memories), "next_cursor": None, "version": "1"}

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@contextmanager
def answering() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    asked: list[tuple[str, str, Any]] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (Sidecar,), {"asked": asked})) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def run(*arguments: str, said: str | None = None) -> Any:
    return CliRunner().invoke(app, arguments, input=said, env={"LITELLM_MASTER_KEY": "sk-1"})


LIGHT = {"cli", "client", "errors", "terminal"}
"""Rooms that a command beside a running proxy may load, and no other."""
HEAVY = (
    "httpx fastapi starlette chromadb litellm openai sqlalchemy numpy onnxruntime tokenizers tiktoken uvicorn mcp "
    "prometheus_client opentelemetry msgpack filelock regex"
).split()
"""Libraries that none of them may load: each takes longer to import than the command to run."""


@pytest.mark.parametrize(
    ("command", "rooms"),
    [
        (["list"], LIGHT),
        (["list", "--grep", "office"], LIGHT),
        (["list", "--partition", "*"], LIGHT),
        (["search", "office", "--min-score", "0"], LIGHT),
        (["show", FIRST], LIGHT),
        (["show", "a200"], LIGHT),
        (["review"], LIGHT),
        (["trace"], LIGHT),
        (["usage"], LIGHT),
        (["partitions"], LIGHT),
        (["list", "--help"], LIGHT),
        # It asks each command for its first sentence; those of setting up read tables of providers.
        (["--help"], {*LIGHT, "setup"}),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_command_beside_a_running_proxy_loads_nothing_heavy(command: list[str], rooms: set[str]) -> None:
    code = (
        "import sys; from litellm_memory.cli import app\n"
        "try: app()\nexcept SystemExit as end: assert not end.code, end\n"
        "mine = {name.split('.')[1] for name in sys.modules if name.startswith('litellm_memory.')}\n"
        f"found = sorted(mine - {rooms}), sorted({{*{HEAVY}}} & set(sys.modules))\n"
        "print(*found, 'rich.console' in sys.modules, file=sys.stderr)"
    )
    with answering() as (url, _):
        where = [] if "--help" in command else ["--url", url]
        told = subprocess.run(
            [sys.executable, "-c", code, *command, *where], capture_output=True, text=True, check=True
        )
    # Only a help is laid out by rich.
    assert told.stderr.splitlines()[-1] == f"[] [] {'--help' in command}"


def test_the_version_is_told_without_loading_the_command_line() -> None:
    code = (
        "import sys; sys.argv = ['litellm-memory', '--version']; from litellm_memory.__main__ import main; main()\n"
        "print('typer' in sys.modules)"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told.split() == [__version__, "False"]
    assert run("--version").stdout == f"{__version__}\n"


def test_the_beginning_of_an_id_is_enough_and_one_that_fits_several_is_refused_with_them() -> None:
    with answering() as (url, _):
        assert json.loads(run("show", "a200", "--url", url, "--json").stdout)["id"] == SECOND
        several = run("show", "0" * 4, "--url", url)
        both = run("show", "a" * 5, "--url", url)
    assert "There is no memory whose id begins with 0000." in several.stderr
    assert "There is no memory whose id begins with aaaaa." in both.stderr


def test_a_list_asks_for_what_the_filters_say() -> None:
    with answering() as (url, asked):
        found = run("list", "--url", url, "--project", "shop", "--kind", "fact", "--tag", "a", "--state", "pinned")
        grep = run("list", "--url", url, "--grep", "LISBON", "--json")
    assert (found.exit_code, asked[1][2]) == (
        0,
        {"project": "shop", "kinds": ["fact"], "tag": "a", "state": "pinned", "limit": 200},
    )
    assert [one["id"] for one in json.loads(grep.stdout)] == [SECOND]
    assert "leave out a filter" in found.stderr


def test_many_are_forgotten_only_after_they_were_shown_and_agreed_to() -> None:
    with answering() as (url, asked):
        dry = run("forget", "--grep", "lisbon", "--dry-run", "--url", url)
        no = run("forget", "--grep", "lisbon", "--url", url, said="n\n")
        silent = run("forget", "--grep", "lisbon", "--url", url, "--json")
        before = [one for one in asked if one[1] == "/v1/bulk"]
        yes = run("forget", "--grep", "lisbon", "--url", url, said="y\n")
    assert (dry.exit_code, no.exit_code, silent.exit_code, before) == (0, 1, 1, [])
    assert SECOND in dry.stdout
    assert "The office is in Lisbon." in no.stderr
    assert json.loads(silent.stderr)["error"]["message"].startswith("1 memories would be forgotten: give --yes")
    assert (yes.exit_code, asked[-1]) == (0, ("POST", "/v1/bulk", {"action": "forget", "ids": [SECOND]}))


def test_many_are_tagged_by_ids_or_by_filters() -> None:
    with answering() as (url, asked):
        assert run("tag", "office", "a200", "--yes", "--url", url).stdout == "1 tagged\n"
        assert asked[-1][2] == {"action": "tag", "tag": "office", "ids": [SECOND]}
        run("tag", "office", "--project", "shop", "--remove", "--yes", "--url", url)
        assert asked[-1][2] == {"action": "untag", "tag": "office", "ids": [FIRST, SECOND]}
        neither = run("tag", "office", "--url", url)
    assert "Give either ids or filters" in neither.stderr


def test_what_retention_would_delete_is_told_before_it_is_deleted(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("litellm_memory: {retention: {rules: [{project: shop, max_age_days: 1}]}}")
    with answering() as (url, asked):
        told = run("retention", "--dry-run", "--url", url, "--config", str(config), "--json")
        assert json.loads(told.stdout)["ids"] == [SECOND]
        assert [one for one in asked if one[1] == "/v1/bulk"] == []
        assert run("retention", "--yes", "--url", url, "--config", str(config)).stdout == "1 forgotten\n"
    assert asked[-1][2] == {"action": "forget", "ids": [SECOND]}


def test_a_memory_with_a_ttl_is_sent_with_the_time_at_which_it_expires() -> None:
    with answering() as (url, asked):
        run("add", "The fair is in hall 4.", "--ttl", "30d", "--url", url)
    expires = datetime.fromisoformat(asked[-1][2]["expires"])
    assert timedelta(days=29) < expires - datetime.now(UTC) <= timedelta(days=30)


def test_a_shell_completes_ids_users_and_projects_and_nothing_without_a_sidecar() -> None:
    class Context:
        params: Mapping[str, Any]

    context: Any = Context()
    with answering() as (url, _):
        context.params = {"url": url}
        assert completion.ids(context, "a2") == [("a2000000", "The office is in Lisbon.")]
        assert completion.users(context, "") == ["ada", "bob"]
        assert completion.projects(context, "s") == ["shop"]
    assert completion.users(context, "") == []


# --- where the sidecar is ---


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", SidecarSettings().address),
        ("litellm_memory: {}", SidecarSettings().address),
        ("litellm_memory: {sidecar: {host: 0.0.0.0, port: 9}}", "http://127.0.0.1:9"),
        ("litellm_memory: {sidecar: {host: '::1'}}", "http://[::1]:8764"),
        ("litellm_memory: {sidecar: {port: os.environ/NO_SUCH_PORT}}", None),
        ("litellm_memory: {sidecar: 1}", None),
        ("litellm_memory: [1]", None),
        ("a: [", None),
    ],
)
def test_the_address_is_the_settings_own_or_left_to_them(tmp_path: Path, text: str, address: str | None) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert address_in(config) == address


def test_a_config_that_was_named_and_is_not_there_is_told_so(tmp_path: Path) -> None:
    told = run("list", "--config", str(tmp_path / "none.yaml"))
    assert (told.exit_code, "there is no such file" in told.stderr) == (1, True)


def test_a_date_that_is_none_is_told_as_json_with_json() -> None:
    with answering() as (url, _):
        told = run("list", "--since", "yesterdya", "--url", url, "--json")
    assert (told.exit_code, list(json.loads(told.stderr))) == (1, ["error"])
