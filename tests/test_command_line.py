"""The command line: on a running sidecar and on a stopped one's data, for people and for scripts."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from bed.nest import start_module
from bed.proxy import free_port
from click.testing import Result
from typer.testing import CliRunner

from litellm_memory.cli import app
from litellm_memory.settings import load_settings, read_settings

ENVIRONMENT = {"LITELLM_MASTER_KEY": "sk-" + "1" * 32, "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The config of a proxy that does not run."""
    path = tmp_path / "config.yaml"
    path.write_text(
        yaml.safe_dump({"litellm_memory": {"sidecar": {"port": free_port()}, "recall": {"deadline_ms": 5000}}})
    )
    return path


def run(*arguments: str, config: Path | None = None, environment: Mapping[str, str] = ENVIRONMENT) -> Result:
    named = ["--config", str(config)] if config else []
    return CliRunner().invoke(app, [*arguments, *named], env=dict(environment))


def done(*arguments: str, config: Path) -> Any:
    """What a command prints as JSON; it has to end well."""
    result = run(*arguments, "--json", config=config)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_memories_are_kept_corrected_and_forgotten_while_no_proxy_runs(config: Path) -> None:
    added = done("add", "The office is in Lisbon.", "--user", "ada", "--tag", "place", config=config)
    assert (added["text"], added["user"], added["tags"]) == ("The office is in Lisbon.", "ada", ["place"])
    assert done("list", "--user", "ada", config=config) == [added]
    assert done("show", added["id"], config=config) == added
    edited = done("edit", added["id"], "--text", "The office is in Porto.", "--pin", config=config)
    assert edited == {**added, "text": "The office is in Porto.", "pinned": True, "tokens": edited["tokens"]}
    [found] = done("search", "office in Porto", "--user", "ada", config=config)
    assert found["memory"] == edited
    assert done("forget", added["id"], config=config) == {"forgotten": added["id"]}
    assert done("list", config=config) == []


def test_people_get_tables(config: Path) -> None:
    added = done("add", "The [bold]office[/bold] is in Lisbon.", config=config)
    for command in (("list",), ("search", "office"), ("show", added["id"])):
        shown = run(*command, config=config).stdout
        assert added["id"] in shown
        assert "The [bold]office[/bold] is in Lisbon." in shown


def test_an_export_is_imported_once_however_often(config: Path, tmp_path: Path) -> None:
    kept = [done("add", text, config=config)["id"] for text in ("The office is in Lisbon.", "The lease ends in March.")]
    file = tmp_path / "memories.ndjson"
    assert run("export", "--to", str(file), config=config).exit_code == 0
    assert {json.loads(line)["id"] for line in file.read_text().splitlines()} == set(kept)
    assert file.stat().st_mode & 0o777 == 0o600
    done("forget", kept[0], config=config)
    assert done("import", str(file), config=config) == {"imported": 1, "known": 1, "refused": 0, "skipped": 0}
    assert done("import", str(file), config=config) == {"imported": 0, "known": 2, "refused": 0, "skipped": 0}
    assert run("export", config=config).stdout.count("\n") == 2


def test_a_list_of_several_pages_is_one_list(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "memories.ndjson"
    file.write_text("".join(json.dumps({"text": f"Room {number} has a piano."}) + "\n" for number in range(5)))
    assert run("import", str(file), config=config).exit_code == 0
    whole = done("list", config=config)
    monkeypatch.setattr("litellm_memory.client.sidecar.PAGE", 2)
    assert (len(whole), done("list", config=config)) == (5, whole)
    assert done("list", "--limit", "3", config=config) == whole[:3]


def test_a_refused_line_is_named_and_the_exit_code_says_so(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "memories.ndjson"
    file.write_text('{"text": "The office is in Lisbon."}\nnonsense\n')
    result = run("import", str(file), config=config)
    assert (result.exit_code, result.stdout) == (1, "1 imported, 0 known, 1 refused, 0 skipped\n")
    assert "line 2: " in result.stderr


def test_identify_tells_the_route_and_the_refusal(config: Path) -> None:
    told = done("identify", "-H", "x-memory-user-id: ada", "-H", "x-memory-project: shop", config=config)
    assert (told["user_id"], told["project"], told["refused"]) == ("ada", "shop", None)
    refused = run("identify", "-H", "x-memory-project: \x01", config=config)
    assert refused.exit_code == 1


def test_a_person_agrees_where_a_policy_asks_and_takes_it_back(config: Path) -> None:
    settings = yaml.safe_load(config.read_text())
    settings["litellm_memory"]["policies"] = {"learn": {"everybody": "opt_in"}}
    config.write_text(yaml.safe_dump(settings))
    assert run("add", "The office is in Lisbon.", config=config).exit_code == 1
    assert done("agree", "learning", config=config)["learn"]["allowed"] is True
    assert run("identify", config=config).stdout.count("on; the policy is opt_in, by everybody") == 1
    assert done("add", "The office is in Lisbon.", config=config)["text"] == "The office is in Lisbon."
    told = run("withdraw", "learning", config=config).stdout.splitlines()
    assert told == ["recall    on", "learning  off (policy); the policy is opt_in, by everybody", "shared    on"]


def test_preview_tells_what_would_be_given_and_keeps_nothing(config: Path, tmp_path: Path) -> None:
    added = done("add", "My staging database is called heron-42.", config=config)
    question = "What is my staging database called?"
    body = tmp_path / "request.json"
    body.write_text(json.dumps({"max_tokens": 99, "messages": [{"role": "user", "content": question}]}))
    for arguments in ((question,), ("--body", str(body), "--path", "/v1/messages")):
        shown = done("preview", *arguments, config=config)
        assert (shown["status"], [c["memory"] for c in shown["trace"]["candidates"]]) == ("injected", [added["id"]])
    assert "recalled" in run("preview", question, config=config).stdout
    assert done("trace", config=config) == []
    assert run("preview", config=config).exit_code == 1


def test_usage_of_nothing_is_no_row(config: Path) -> None:
    assert done("usage", "--by", "model", config=config) == []
    assert run("usage", "--by", "model", "--csv", config=config).stdout.startswith("model,calls,failures,")
    assert run("usage", "--by", "colour", config=config).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "0" * 40), "There is no memory with this id."),
        (("edit", "0" * 40), "Nothing to change was given"),
        (("identify", "-H", "nonsense"), "A header is written as"),
        (("import", "no-such-file"), "cannot be read"),
        (("add", ""), "text: "),
        (("trace", "nobody"), "There is no trace with this id: "),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_1(
    config: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments, config=config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr


def test_nothing_to_talk_to_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run("list", "--url", f"http://127.0.0.1:{port}", config=tmp_path / "none.yaml")
    assert (result.exit_code, "start the proxy" in result.stderr) == (1, True)


@contextmanager
def serving(config: Path) -> Iterator[None]:
    """`litellm-memory serve` as a process of its own, once it answers."""
    port = read_settings(config).sidecar.port
    process = start_module("litellm_memory", ["serve", "--config", str(config)], environment=ENVIRONMENT)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_running_sidecar_is_talked_to_and_asks_for_the_key(config: Path) -> None:
    with serving(config):
        added = done("add", "The office is in Lisbon.", config=config)
        assert done("list", config=config) == [added]
        refused = run("list", "--key", "sk-wrong", config=config)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "--key" in refused.stderr
    assert done("list", config=config) == [added]


# --- init ---


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b"}, ["anthropic", "openai"]),
        ({"AZURE_API_KEY": "a"}, []),
        ({"AZURE_API_KEY": "a", "AZURE_API_BASE": "http://a"}, ["azure"]),
        ({"GEMINI_API_KEY": ""}, []),
    ],
    ids=["two providers", "half a provider", "a provider of two variables", "an empty key"],
)
def test_init_writes_a_config_for_the_keys_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], names: list[str]
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AZURE_API_KEY", "AZURE_API_BASE", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config.yaml"
    result = run("init", "--json", config=path, environment={**ENVIRONMENT, **environment})
    assert json.loads(result.stdout) == {"config": str(path), "providers": names}
    written = yaml.safe_load(path.read_text())
    assert written["litellm_settings"]["callbacks"] == ["litellm_memory.handler"]
    assert len(written["model_list"]) == max(1, len(names))
    assert load_settings(written, directory=tmp_path).data_dir == (tmp_path / ".litellm-memory").resolve()


def test_init_leaves_a_file_that_is_no_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine")
    refused = run("init", config=path)
    assert (refused.exit_code, "stays as it is: This is no LiteLLM config" in refused.stderr) == (1, True)
    assert path.read_text() == "mine"
    assert run("init", "--force", config=path).exit_code == 0


LINE = 'callbacks: ["litellm_memory.handler"]'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"litellm_settings:\n  {LINE}\n"),
        ("model_list: []  # mine\n", f"model_list: []  # mine\n\nlitellm_settings:\n  {LINE}\n"),
        ("litellm_settings:\nmodel_list: []\n", f"litellm_settings:\n  {LINE}\nmodel_list: []\n"),
        (
            "litellm_settings:\n    # quick\n    num_retries: 3\n",
            f"litellm_settings:\n    # quick\n    {LINE}\n    num_retries: 3\n",
        ),
        ("litellm_settings: {num_retries: 3}\n", f"litellm_settings: {{{LINE}, num_retries: 3}}\n"),
        (
            "litellm_settings:\n  callbacks: [prometheus]\n",
            'litellm_settings:\n  callbacks: ["litellm_memory.handler", prometheus]\n',
        ),
        (
            "litellm_settings:\n  callbacks:\n  - prometheus  # figures\n",
            "litellm_settings:\n  callbacks:\n  - litellm_memory.handler\n  - prometheus  # figures\n",
        ),
        (
            "litellm_settings:\n  callbacks: prometheus\n",
            'litellm_settings:\n  callbacks: [prometheus, "litellm_memory.handler"]\n',
        ),
    ],
    ids=[
        "an empty file",
        "no section",
        "an empty section",
        "a section",
        "a section on one line",
        "a list on one line",
        "a list",
        "a bare name",
    ],
)
def test_init_adds_the_line_to_a_config_that_is_there_and_changes_nothing_else(
    tmp_path: Path, before: str, after: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(before)
    asked = run("init", config=path)
    assert (asked.exit_code, path.read_text()) == (1, before)
    shown = run("init", "--yes", config=path)
    assert (shown.exit_code, path.read_text()) == (0, after)
    assert "\n+" in shown.stdout
    again = run("init", "--json", config=path)
    assert json.loads(again.stdout) == {"config": str(path), "changed": False}


def test_init_does_not_touch_what_it_cannot_edit_safely(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = "usual: &usual\n  num_retries: 3\nlitellm_settings: *usual\n"
    path.write_text(text)
    refused = run("init", "--yes", config=path)
    assert (refused.exit_code, path.read_text()) == (1, text)
    assert "cannot be edited safely" in refused.stderr


# --- check ---


def about_the_port(config: Path) -> Any:
    [found] = [
        one for one in json.loads(run("check", "--json", config=config).stdout) if "http://127.0.0.1:" in one["what"]
    ]
    return found


def test_check_tells_who_listens_where_the_sidecar_is_to(config: Path) -> None:
    address = read_settings(config).sidecar.address
    nobody = about_the_port(config)
    with socket.create_server(("127.0.0.1", read_settings(config).sidecar.port)) as taken:
        answering = threading.Thread(target=lambda: taken.accept()[0].close())
        answering.start()
        other = about_the_port(config)
        answering.join()
    assert (nobody, other) == (
        {"level": "ok", "what": f"nothing serves at {address} yet: the proxy's start does", "remedy": ""},
        {
            "level": "warning",
            "what": f"Another program listens at {address}, so the sidecar cannot.",
            "remedy": "Name another sidecar.port, or end that program.",
        },
    )
