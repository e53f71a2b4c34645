"""What `check` finds wrong with a set-up, that it only reads, and what the start and the ready route tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from bed.memories import Memories
from bed.proxy import Proxy

from litellm_memory import __version__
from litellm_memory.engine import Engine
from litellm_memory.errors import SettingsError
from litellm_memory.files.locks import open_lock, take_lock
from litellm_memory.hooks.startup import told
from litellm_memory.settings import Settings, keys_named_twice, load_settings, read_config
from litellm_memory.setup.checks import findings
from litellm_memory.setup.config import HANDLER, about_config
from litellm_memory.setup.places import about_data_dir, kind_of_mount
from litellm_memory.sidecar.server import _say_whose, _sign, listening_at

KEYED = {"LITELLM_MASTER_KEY": "sk-" + "1" * 32}
GOOD: Mapping[str, Any] = {
    "model_list": [{"model_name": "gpt"}, {"model_name": "claude-*"}],
    "litellm_settings": {"callbacks": [HANDLER]},
}


def found(config: Mapping[str, Any], environment: Mapping[str, str] = KEYED) -> list[tuple[str, str]]:
    """Level and sentence of all that is not well with GOOD, with the sections of ``config`` in place of its own."""
    whole = {**GOOD, **config}
    settings = load_settings(whole, directory=Path("/srv"), environment=environment)
    return [(one.level, one.what) for one in about_config(whole, settings, environment) if one.level != "ok"]


def test_nothing_is_said_against_a_good_set_up() -> None:
    assert found({}) == []


WRONG: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "section under litellm_settings": (
        {"litellm_settings": {"callbacks": [HANDLER], "litellm_memory": {}}},
        "error",
        "litellm_memory is under litellm_settings, where nothing reads it",
    ),
    "section under general_settings": ({"general_settings": {"litellm_memory": {}}}, "error", "under general_settings"),
    "section with a dash": ({"litellm-memory": {}}, "error", "The section litellm-memory is read by nothing"),
    "section in the plural": ({"litellm_memories": {}}, "error", "The section litellm_memories is read by nothing"),
    "no callback": ({"litellm_settings": {}}, "error", "callbacks does not name litellm_memory.handler"),
    "callback as a string": ({"litellm_settings": {"callbacks": HANDLER}}, "warning", "callbacks is a bare string"),
    "callback too deep": (
        {"litellm_settings": {"callbacks": ["litellm_memory.hooks.handler"]}},
        "error",
        "loads the package a second time",
    ),
    "callback twice": ({"litellm_settings": {"callbacks": [HANDLER, HANDLER]}}, "warning", "2 times"),
    "callback in a file that is included": (
        {"litellm_settings": {}, "include": ["more.yaml"]},
        "warning",
        "the files that it includes were not read",
    ),
    "handler under success_callback": (
        {"litellm_settings": {"callbacks": [HANDLER], "success_callback": [HANDLER]}},
        "error",
        "success_callback names litellm_memory.handler",
    ),
    "public master key": ({"general_settings": {"master_key": "sk-1234"}}, "error", "a key of LiteLLM's examples"),
    "empty master key": ({"general_settings": {"master_key": " "}}, "error", "is empty: LiteLLM refuses to start"),
    "master key of a variable that is not set": (
        {"general_settings": {"master_key": "os.environ/NO_SUCH_KEY"}},
        "warning",
        "NO_SUCH_KEY is not set here",
    ),
    "model that learns and is not there": (
        {"litellm_memory": {"learn": {"model": "gtp"}}},
        "error",
        "learn.model is gtp, which model_list does not name",
    ),
    "model that learns by a provider's name": (
        {"litellm_memory": {"learn": {"model": "openai/gpt-5-mini"}}},
        "warning",
        "LiteLLM asks its provider for it directly",
    ),
    "glob that fits no model": (
        {"litellm_memory": {"models": {"exclude": ["gemini-*"]}}},
        "warning",
        "models.exclude names gemini-*, which fits no model",
    ),
    "globs that fit all models": (
        {"litellm_memory": {"models": {"exclude": ["*"]}}},
        "warning",
        "models lets no model of model_list have memory",
    ),
    "inject off": ({"litellm_memory": {"inject": False}}, "warning", "inject is off"),
    "remember off": ({"litellm_memory": {"remember": False}}, "warning", "remember is off"),
    "nothing learns": (
        {"litellm_memory": {"learn": {"patterns": False, "turns": False}}},
        "warning",
        "nothing is learned",
    ),
    "no memories": ({"litellm_memory": {"recall": {"max_memories": 0}}}, "warning", "recall.max_memories is 0"),
    "no tokens": ({"litellm_memory": {"recall": {"token_budget": 0}}}, "warning", "recall.token_budget is 0"),
    "threshold of one": ({"litellm_memory": {"recall": {"min_score": 1}}}, "warning", "recall.min_score is 1"),
    "a lifted alias": (
        {"litellm_memory": {"policies": {"recall": {"keys": {"ada-*": "on"}, "everybody": "off"}}}},
        "warning",
        "policies.recall.keys.ada-* may lift",
    ),
    "messages are not logged": (
        {"litellm_settings": {"callbacks": [HANDLER], "turn_off_message_logging": True}},
        "warning",
        "turn_off_message_logging is on, so nothing is learned",
    ),
    "responses are cached": (
        {"litellm_settings": {"callbacks": [HANDLER], "cache": True}},
        "warning",
        "litellm_settings.cache is on",
    ),
    "settings in a database": (
        {"general_settings": {"store_model_in_db": True}},
        "warning",
        "store_model_in_db is on",
    ),
    "pass-through route without a key": (
        {"general_settings": {"pass_through_endpoints": [{"path": "/cohere"}]}},
        "warning",
        "The pass-through route /cohere has no auth: true",
    ),
    "users from a header": (
        {"general_settings": {"user_header_name": "x-employee"}},
        "warning",
        "lets clients name a user by x-employee",
    ),
    "page in the Admin UI without a salt": (
        {"general_settings": {"plugins": [{"name": "litellm-memory"}]}},
        "warning",
        "LITELLM_SALT_KEY is not set",
    ),
    "sidecar for the network": (
        {"litellm_memory": {"sidecar": {"host": "0.0.0.0"}}},
        "warning",
        "The sidecar listens on 0.0.0.0 without TLS",
    ),
    "sidecar at LiteLLM's port": (
        {"litellm_memory": {"sidecar": {"port": 4000}}},
        "warning",
        "sidecar.port is 4000, on which LiteLLM listens itself",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_check_finds_what_is_wrong(name: str) -> None:
    config, level, what = WRONG[name]
    assert [(kind, said) for kind, said in found(config) if what in said] != [], found(config)
    assert next(kind for kind, said in found(config) if what in said) == level


@pytest.mark.parametrize(
    ("config", "environment", "what"),
    [
        ({"litellm_memory": {"sidecar": {"host": "0.0.0.0"}}}, {}, "neither LiteLLM nor sidecar.api_key asks"),
        ({"litellm_memory": {"recall": {"process": False}}}, {"NUM_WORKERS": "4"}, "NUM_WORKERS is 4"),
        ({}, {}, "LITELLM_MASTER_KEY is not set here"),
        ({}, {"LITELLM_MASTER_KEY": "sk-1234"}, "a key of LiteLLM's examples"),
        ({"litellm_memory": {"sidecar": {"port": 8080}}}, {"PORT": "8080"}, "sidecar.port is 8080"),
    ],
)  # fmt: skip
def test_check_finds_what_the_environment_makes_wrong(
    config: Mapping[str, Any], environment: Mapping[str, str], what: str
) -> None:
    assert any(what in said for _, said in found(config, environment))


def test_litellms_own_leave_for_a_weak_key_is_taken() -> None:
    weak = {"general_settings": {"master_key": "sk-1234", "dangerously_permit_weak_or_unset_master_key": True}}
    assert found(weak) == []


def test_a_model_that_a_wildcard_of_the_list_covers_learns() -> None:
    assert found({"litellm_memory": {"learn": {"model": "claude-haiku"}}}) == []


# --- the file ---


def test_a_shells_variable_is_refused_and_the_right_form_is_named() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({"litellm_memory": {"sidecar": {"api_key": "${NOPE_KEY:-x}"}}}, directory=Path("/srv"))
    assert str(error.value) == (
        "litellm_memory.sidecar.api_key: ${NOPE_KEY} is not replaced here; "
        "write os.environ/NOPE_KEY as the whole value."
    )


def test_a_tab_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("litellm_settings:\n\tcallbacks: []\n")
    with pytest.raises(SettingsError, match=r"is not valid YAML \(line 2, column 1: a tab, where YAML takes spaces"):
        read_config(path)


def test_a_key_that_stands_twice_is_found_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("litellm_memory:\n  inject: true\n  sidecar: {port: 1}\n  inject: false\nmodel_list: []\n")
    assert keys_named_twice(path) == [("litellm_memory.inject", 4)]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        (
            {"identity": {"delegating_keys": "open-webui"}},
            "litellm_memory.identity.delegating_keys: a list, as in [one, two], is wanted.",
        ),
        ({"inject": "maybe"}, "litellm_memory.inject: true or false is wanted."),
        ({"recall": {"max_memories": "many"}}, "litellm_memory.recall.max_memories: a whole number is wanted."),
        ({"store": "server"}, "litellm_memory.store: a mapping of settings is wanted."),
    ],
    ids=["text for a list", "word for a switch", "word for a number", "text for a section"],
)
def test_a_value_of_the_wrong_type_says_what_is_wanted(section: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({"litellm_memory": section}, directory=Path("/srv"))
    assert str(error.value) == sentence


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({"litellm_memory": {"store": {"headers": "sk-secret"}}}, directory=Path("/srv"))
    assert "sk-secret" not in str(error.value)


# --- the directory ---


def test_check_makes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({**GOOD, "litellm_memory": {"sidecar": {"enabled": False}}}))
    told_of = asyncio.run(findings(config, lambda *_: None))
    assert [one.what for one in told_of if "the first start of the proxy makes one" in one.what] == [
        "there is no ledger yet: the first start of the proxy makes one",
        "there is no store yet: the first start of the proxy makes one",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_data_dir_that_others_can_open_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert [one.level for one in about_data_dir(tmp_path) if "other users of this host" in one.what] == ["warning"]
    tmp_path.chmod(0o700)
    assert [one.level for one in about_data_dir(tmp_path) if "other users of this host" in one.what] == []


def test_a_data_dir_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [one.level for one in about_data_dir(tmp_path / "file" / "data")] == ["error"]


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
files:/team /srv/team\\040data nfs4 rw 0 0
/dev/sdb1 /srv/team\\040data/local xfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/x", "ext4"), ("/srv/team data/x", "nfs4"), ("/srv/team data/local/x", "xfs"), ("/srv/team", "ext4")],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert kind_of_mount(Path(path), MOUNTS) == kind


# --- the start ---


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "is on: its data are in /srv/data, its sidecar is at http://127.0.0.1:8764."),
        (
            {"inject": False, "sidecar": {"enabled": False}},
            "is on, with inject switched off: its data are in /srv/data, it has no sidecar.",
        ),
    ],
)
def test_one_line_of_the_start_says_that_memory_is_on_and_where(settings: Mapping[str, Any], line: str) -> None:
    read = load_settings({"litellm_memory": {"data_dir": "/srv/data", **settings}}, directory=Path("/"))
    assert told(read) == f"litellm-memory {__version__} {line}"


def test_the_start_of_a_proxy_shows_that_line_and_ready_answers_on_litellms_port(
    client: httpx.Client, memories: Memories, proxy: Proxy
) -> None:
    assert f"litellm-memory {__version__} is on: its data are in" in proxy.log
    nobody = client.get("/memory-ready", headers={"authorization": ""})
    assert (nobody.status_code, nobody.json()["ready"]) == (200, True)


async def test_a_second_proxy_on_one_data_dir_says_whose_sidecar_there_is(tmp_path: Path) -> None:
    engine = Engine(Settings(data_dir=tmp_path, sidecar={"port": 9999}), count=len)
    try:
        with open_lock(tmp_path / "sidecar.lock") as first, open_lock(tmp_path / "sidecar.lock") as second:
            assert take_lock(first)
            with listening_at("127.0.0.1", 0) as listening:
                _sign(first, listening)
                served = ":".join(map(str, listening.getsockname()))
            assert not take_lock(second)
            _say_whose(engine, second)
        assert engine.health.sidecar == (
            f"The sidecar of this data_dir serves at {served}, for another proxy, so this one starts none at "
            "127.0.0.1:9999: use that address, or give each proxy a data_dir of its own."
        )
    finally:
        await engine.aclose()
