"""The settings: defaults, one sentence for each mistake, and never a secret in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from litellm_memory.errors import SettingsError
from litellm_memory.models import Caller, Turn
from litellm_memory.request.participation import models_asked, models_take_part, takes_part
from litellm_memory.request.reading import Excluded
from litellm_memory.request.request import Request
from litellm_memory.request.tracing import trace_excluded
from litellm_memory.settings import GlobsSettings, Settings, load_settings, needs_restart, read_settings
from litellm_memory.setup.checks import findings
from litellm_memory.wire import model_in_path


def load(section: Any, **config: Any) -> Settings:
    return load_settings({"litellm_memory": section, **config}, directory=Path("/srv"), environment={"TOKEN": "t-1"})


def test_a_config_without_the_section_has_every_default() -> None:
    expected = Settings().model_copy(update={"data_dir": Path("/srv/.litellm-memory")})
    assert load_settings({}, directory=Path("/srv")) == expected == load(None)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"recal": {}}, "litellm_memory.recal: unknown key; the nearest known one is recall."),
        (
            {"recall": {"max_memorys": 3}},
            "litellm_memory.recall.max_memorys: unknown key; the nearest known one is max_memories.",
        ),
        (
            {"store": {"mode": "clouds"}},
            "litellm_memory.store.mode: Input should be 'embedded', 'server' or 'cloud'.",
        ),
        (
            {"identity": {"header_patterns": [{"header": "a", "patern": "b"}]}},
            "litellm_memory.identity.header_patterns.0.patern: unknown key; the nearest known one is pattern.",
        ),
        (
            {"identity": {"header_patterns": [{"header": "a"}]}},
            "litellm_memory.identity.header_patterns.0.pattern: Field required.",
        ),
        (
            {"kinds": [{"name": "a", "kind": "other", "sistem": "b"}]},
            "litellm_memory.kinds.0.sistem: unknown key; the nearest known one is system.",
        ),
        (
            {"kinds": [{"name": "a", "kind": "other", "text": "b"}, {"name": "c", "kind": "other", "text": "*"}]},
            "litellm_memory.kinds.1.text: not a regular expression (nothing to repeat at position 0).",
        ),
        (
            {"kinds": [{"name": "a", "kind": "other", "headers": {"x-app": "["}}]},
            "litellm_memory.kinds.0.headers: not a regular expression (unterminated character set at position 0).",
        ),
        (
            {"kinds": [{"name": "a", "kind": "other", "headers": {}}]},
            "litellm_memory.kinds.0: give at least one of headers, text, system, output_keys, max_tokens, tools.",
        ),
        (
            {"identity": {"header_patterns": [{"header": "a", "pattern": "("}]}},
            "litellm_memory.identity.header_patterns.0.pattern: not a regular expression "
            "(missing ), unterminated subpattern at position 0).",
        ),
        (
            {"models": {"include": ["a"], "exclude": ["b"]}},
            "litellm_memory.models: give include or exclude, not both.",
        ),
        (
            {"store": {"mode": "cloud"}},
            "litellm_memory.store: mode cloud needs api_key, best as os.environ/CHROMA_API_KEY.",
        ),
        (
            {"sidecar": {"api_key": "os.environ/NOT_SET"}},
            "litellm_memory.sidecar.api_key: the environment variable NOT_SET is not set.",
        ),
        (
            {"learn": {"redact_words": [" "]}},
            "litellm_memory.learn.redact_words: a blank word would redact everything.",
        ),
        (["recall"], "litellm_memory: is list, but it has to be a mapping of settings."),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(section: Any, sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(section)
    assert str(raised.value) == sentence


def test_a_wrong_value_is_never_repeated_because_it_may_be_a_secret() -> None:
    with pytest.raises(SettingsError) as raised:
        load({"sidecar": {"port": "sk-very-secret"}})
    assert "sk-very-secret" not in str(raised.value)


def test_values_come_from_the_environment_as_in_litellm() -> None:
    settings = load({"sidecar": {"api_key": "os.environ/TOKEN"}})
    assert settings.sidecar.api_key is not None
    assert settings.sidecar.api_key.get_secret_value() == "t-1"
    assert "t-1" not in repr(settings)


def test_user_id_mappings_at_the_top_level_are_accepted_as_they_are() -> None:
    settings = load(
        {"identity": {"default_user_id": "own"}},
        user_id_mappings={
            "custom_header": "x-person",
            "header_patterns": [{"header": "user-agent", "pattern": "^Acme/", "user_id": "acme"}],
            "default_user_id": "theirs",
        },
    )
    assert settings.identity.model_dump(include={"header", "header_patterns", "default_user_id"}) == {
        "header": "x-person",
        "header_patterns": (
            {"header": "user-agent", "pattern": "^Acme/", "user_id": "acme", "project": None, "client": None},
        ),
        "default_user_id": "own",
    }


def test_an_unknown_key_in_user_id_mappings_names_the_nearest() -> None:
    with pytest.raises(SettingsError) as raised:
        load({}, user_id_mappings={"custom_headers": "x"})
    assert str(raised.value) == "user_id_mappings.custom_headers: unknown key; the nearest known one is custom_header."


def test_only_what_is_opened_once_needs_a_restart() -> None:
    old = load({})
    new = load({"recall": {"max_memories": 3}, "sidecar": {"port": 1}, "data_dir": "elsewhere"})
    assert needs_restart(old, new) == ["data_dir", "sidecar"]


def test_a_file_that_is_no_yaml_is_an_error_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.yaml is not valid YAML"):
        read_settings(path)


async def test_check_names_a_header_that_litellm_takes_the_user_from(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    mapping = {"header_name": "X-Employee", "litellm_user_role": "internal_user"}
    memory = {"sidecar": {"enabled": False}}
    config.write_text(json.dumps({"general_settings": {"user_header_mappings": [mapping]}, "litellm_memory": memory}))
    found = [finding for finding in await findings(config, lambda *_: None) if "x-employee" in finding.what]
    assert [finding.level for finding in found] == ["warning"]
    assert "identity.delegating_keys" in found[0].remedy


async def test_check_names_a_blank_operator_key(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"litellm_memory": {"sidecar": {"api_key": ""}}}))
    [finding] = [finding for finding in await findings(config, lambda *_: None) if finding.level == "error"]
    assert finding.what == "litellm_memory.sidecar.api_key: is blank: give a value, or leave the key out."


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "X_Goog_Api_Key", "cookie", "x-pass-api-key"])
def test_no_header_that_carries_a_key_names_the_user(header: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({"identity": {"header": header}})
    assert str(error.value).startswith("litellm_memory.identity.header: carries a key")


EXCLUDING = GlobsSettings(exclude=("gemini-2.5*", "far-away"))


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "gemini-2.5-flash"),
        ("/vertex_ai/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:rawPredict", "gemini-2.5-pro"),
        ("/azure/openai/deployments/far-away/chat/completions", "far-away"),
        ("/engines/far-away/completions", "far-away"),
        ("/bedrock/model/anthropic.claude-v1:0/converse", "anthropic.claude-v1:0"),
        (
            "/bedrock/model/arn%3Aaws%3Abedrock%2Fus.claude-v1:0/invoke-with-response-stream",
            "arn:aws:bedrock/us.claude-v1:0",
        ),
        ("/v1/chat/completions", None),
        ("/v1/messages", None),
    ],
)
def test_the_model_of_a_path_is_found(path: str, model: str | None) -> None:
    assert model_in_path(path) == model


@pytest.mark.parametrize(
    ("path", "models", "named"),
    [
        pytest.param("/gemini/v1beta/models/gemini-2.5-flash:generateContent", (), None, id="by the path"),
        pytest.param("/gemini/v1beta/models/gemini-2.5-flash:generateContent", ("x",), "x", id="beside another"),
        pytest.param("/v1/chat/completions", ("gpt-fake,far-away",), None, id="in a list"),
        pytest.param("/v1/chat/completions", ("gpt", "far-away"), None, id="as a fallback"),
        pytest.param("/v1/chat/completions", ("gpt",), "far-away", id="in the body alone"),
        pytest.param("/custom/anything", (), None, id="not known"),
    ],
)
def test_an_excluded_model_gets_no_memory_wherever_it_is_named(
    path: str, models: tuple[str, ...], named: str | None
) -> None:
    asked = models_asked(Request("1", "acompletion", path, {}, {}, Caller(), models), Turn((), model=named))
    assert not models_take_part(asked, EXCLUDING)
    assert models_take_part(asked, GlobsSettings())


def test_a_model_that_is_not_excluded_gets_memory() -> None:
    asked = models_asked(Request("1", "acompletion", "/v1/models/gemini-2.0:x", {}, {}, Caller(), ("gpt",)), Turn(()))
    assert (asked, models_take_part(asked, EXCLUDING)) == (("gpt", "gemini-2.0"), True)


def test_a_trace_keeps_a_models_name_and_a_path_by_their_first_characters_and_no_query() -> None:
    request = Request("1", "x", "/v1/" + "p" * 5000 + "?key=sk-1", {}, {}, Caller(user="ann"), ("m" * 2_000_000,))
    trace = trace_excluded(request, Excluded("off", "key_excluded"), "user")
    assert trace is not None
    assert (trace.model, trace.route, request.model) == ("m" * 256, "/v1/" + "p" * 252, "m" * 256)
    short = Request("1", "x", "/v1beta/models/g:generateContent?key=sk-1", {}, {}, Caller())
    assert short.path == "/v1beta/models/g:generateContent"


SECRETS = {
    "sidecar.api_key": lambda secret: {"sidecar": {"api_key": secret}},
    "store.api_key": lambda secret: {"store": {"mode": "cloud", "api_key": secret}},
    "store.headers.x-chroma-token": lambda secret: {"store": {"headers": {"x-chroma-token": secret}}},
    "ledger.url": lambda secret: {"ledger": {"url": secret}},
    "identity.delegating_keys.0": lambda secret: {"identity": {"delegating_keys": [secret]}},
    "identity.header_patterns.0.pattern": lambda secret: {
        "identity": {"header_patterns": [{"header": "x-room", "pattern": secret, "user_id": "ann"}]}
    },
    "models.exclude.0": lambda secret: {"models": {"exclude": [secret]}},
}


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_secret_stops_the_start_with_one_sentence(key: str, blank: str) -> None:
    with pytest.raises(SettingsError) as written:
        load(SECRETS[key](blank))
    assert str(written.value) == f"litellm_memory.{key}: is blank: give a value, or leave the key out."
    config = {"litellm_memory": SECRETS[key]("os.environ/MEMORY_OPERATOR_KEY")}
    with pytest.raises(SettingsError) as looked_up:
        load_settings(config, directory=Path("/srv"), environment={"MEMORY_OPERATOR_KEY": blank})
    assert str(looked_up.value) == (
        f"litellm_memory.{key}: the environment variable MEMORY_OPERATOR_KEY is set but blank."
    )


def test_no_secret_is_declared_without_the_check_for_blank_ones() -> None:
    declared = {str(field.annotation) for field in all_fields(Settings) if "SecretStr" in str(field.annotation)}
    assert declared
    assert [annotation for annotation in declared if "AfterValidator" not in annotation] == []


def all_fields(section: type[BaseModel]) -> Iterator[FieldInfo]:
    for field in section.model_fields.values():
        yield field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from all_fields(field.annotation)


@pytest.mark.parametrize(
    ("name", "globs", "expected"),
    [
        ("gpt-5", GlobsSettings(), True),
        ("gpt-5", GlobsSettings(include=("gpt-*",)), True),
        ("claude", GlobsSettings(include=("gpt-*",)), False),
        (None, GlobsSettings(include=("*",)), False),
        ("gpt-5", GlobsSettings(exclude=("gpt-*",)), False),
        (None, GlobsSettings(exclude=("*",)), True),
    ],
)
def test_globs_choose_who_takes_part(name: str | None, globs: GlobsSettings, expected: bool) -> None:
    assert takes_part(name, globs) is expected


async def test_check_says_why_litellms_admin_ui_signs_nobody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yaml"
    plugins = {"plugins": [{"name": "litellm-memory", "url": "http://localhost:8764"}]}
    memory: dict[str, Any] = {"sidecar": {"enabled": False}, "identity": {"partition": "team"}}

    async def said(words: str) -> bool:
        config.write_text(json.dumps({"general_settings": plugins, "litellm_memory": memory}))
        return any(
            words in finding.what and finding.level == "warning" for finding in await findings(config, lambda *_: None)
        )

    monkeypatch.delenv("LITELLM_SALT_KEY", raising=False)
    named = ("LITELLM_SALT_KEY", "identity.partition", "sidecar.framed_by")
    assert [await said(words) for words in named] == [True] * 3
    monkeypatch.setenv("LITELLM_SALT_KEY", "sk-salt")
    memory.update(sidecar={"enabled": False, "framed_by": "http://localhost:4000"}, identity={"partition": "user"})
    assert [await said(words) for words in named] == [False] * 3


@pytest.mark.parametrize(
    "origin", ["litellm.example.com", "https://a.example/ui", "https://a.example; script-src *", "*"]
)
def test_who_may_frame_the_page_is_an_origin_and_nothing_else(origin: str) -> None:
    with pytest.raises(SettingsError, match="framed_by"):
        load_settings({"litellm_memory": {"sidecar": {"framed_by": origin}}}, directory=Path())
