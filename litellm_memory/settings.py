"""The ``litellm_memory:`` section as frozen models: validated once, passed in, replaced whole when the file changes."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from litellm_memory.errors import SettingsError
from litellm_memory.models import Kind, MemoryKind, Position

SECTION = "litellm_memory"
KEY_HEADERS = frozenset(
    "authorization proxy-authorization cookie x-api-key api-key x-goog-api-key x-litellm-api-key"
    " ocp-apim-subscription-key".split()
)
"""The headers in which LiteLLM and its providers look for a key."""
RESTART_KEYS = ("data_dir", "store", "ledger", "embedding", "sidecar")
"""What a running proxy cannot change: it is opened once."""


def _not_blank(value: Text) -> Text:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not text.strip():
        raise ValueError("is blank: give a value, or leave the key out")
    return value


Text = TypeVar("Text", str, SecretStr)
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_not_blank)]
"""A secret with something in it: a blank one would equal what a request without any key carries."""
Name: TypeAlias = Annotated[str, AfterValidator(_not_blank)]
"""A text with something in it, to be compared with others: a blank one would match what has no name at all."""


class Section(BaseModel):
    """A part of the section: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GlobsSettings(Section):
    """Which names take part: all, only ``include``, or all except ``exclude``."""

    include: tuple[Name, ...] = Field((), description="Globs of the names that get memory; empty means all.")
    exclude: tuple[Name, ...] = Field((), description="Globs of the names that get none.")

    @model_validator(mode="after")
    def _one_of_the_two(self) -> GlobsSettings:
        if self.include and self.exclude:
            raise ValueError("give include or exclude, not both")
        return self


class StoreSettings(Section):
    """Where memories are kept."""

    mode: Literal["embedded", "server", "cloud"] = Field(
        "embedded",
        description="`embedded`: Chroma in one private process on this host, shared by all workers. "
        "`server`: a Chroma server that you run. `cloud`: Chroma Cloud.",
    )
    layout: Literal["buckets", "per-namespace"] = Field(
        "buckets", description="`buckets`: records share a few collections. `per-namespace`: one collection per user."
    )
    host: str = Field("127.0.0.1", description="`server`: host name of the Chroma server.")
    port: int = Field(8000, ge=1, le=65535, description="`server`: its port.")
    ssl: bool = Field(False, description="`server`: speak TLS; certificates are verified.")
    headers: Mapping[str, Secret] = Field(
        default_factory=dict, description="`server`: headers sent with every request, such as a token."
    )
    tenant: str = Field("default_tenant", description="`server`, `cloud`: the Chroma tenant.")
    database: str = Field("default_database", description="`server`, `cloud`: the Chroma database.")
    api_key: Secret | None = Field(None, description="`cloud`: the API key, best as `os.environ/CHROMA_API_KEY`.")

    @model_validator(mode="after")
    def _cloud_needs_a_key(self) -> StoreSettings:
        if self.mode == "cloud" and self.api_key is None:
            raise ValueError("mode cloud needs api_key, best as os.environ/CHROMA_API_KEY")
        return self


class LedgerSettings(Section):
    """Where the journal and the frozen blocks are kept."""

    url: Secret | None = Field(
        None,
        description="SQLAlchemy URL. Unset: SQLite in `data_dir`, which serves all processes of one host. "
        "PostgreSQL serves several hosts (`pip install 'litellm-memory[postgres]'`).",
    )


class EmbeddingSettings(Section):
    """What turns texts into vectors."""

    model: str = Field(
        "local",
        min_length=1,
        description="`local`: the built-in model, which needs no network and no key. Otherwise an embedding model, by "
        "its name in `model_list` or by LiteLLM's name, such as `openai/text-embedding-3-small`.",
    )
    dimensions: int | None = Field(
        None, ge=8, le=8192, description="The number of dimensions to request, for a model that offers several."
    )
    timeout_ms: int = Field(
        100,
        ge=1,
        le=60_000,
        description="Timeout of a query's vector in milliseconds, capped at two thirds of `recall.deadline_ms`; after "
        "it, words alone are searched.",
    )
    model_dir: Path | None = Field(
        None, description="A directory that `litellm-memory model install --into` made, for sites without a network."
    )


class RecallSettings(Section):
    """How much is recalled for a turn, and how long that may take."""

    max_memories: int = Field(24, ge=0, le=100, description="At most this many memories in one block.")
    token_budget: int = Field(1000, ge=0, le=100_000, description="At most this many tokens in one block.")
    min_score: float = Field(
        0.3, ge=0, le=1, description="Threshold: memories with a lower score (0 to 1) are not recalled."
    )
    deadline_ms: int = Field(
        150, ge=1, le=60_000, description="After this many milliseconds the request goes on without new memory."
    )
    header_ceiling: float = Field(
        2.0, ge=1, description="Request headers may raise `max_memories` and `token_budget` up to this many times."
    )
    position: Position = Field(
        "turn",
        description="Where a block is inserted. `turn`: before the person's own words, and again in every later "
        "request, so that prompt caches keep working. The other positions hold only the newest block, and invalidate "
        "the provider's prompt cache at every turn.",
    )
    format: Literal["xml", "markdown"] = Field("xml", description="How the block is written.")


class LearnRule(Section):
    """One custom sentence pattern."""

    kind: MemoryKind = Field(description="The kind of memory that such a sentence becomes.")
    pattern: re.Pattern[str] = Field(
        description="Regular expression, matched at the start of a sentence, ignoring case. What its group `fact` "
        "matches is kept; without that group, the whole sentence."
    )
    about_person: bool = Field(False, description="It belongs to the person and not to the project of the request.")

    @field_validator("pattern", mode="before")
    @classmethod
    def _compiles(cls, value: object) -> object:
        return re.compile(_compiled(value).pattern, re.IGNORECASE) if isinstance(value, str) else value


class LearnSettings(Section):
    """What is learned from an exchange."""

    patterns: bool = Field(True, description="Facts, preferences and standing instructions found by sentence patterns.")
    turns: bool = Field(True, description="The person's own messages kept as episodes, linked to the reply.")
    model: str | None = Field(
        None,
        min_length=1,
        description="A chat model, by its name in `model_list`, that reads conversations and finds what the patterns "
        "miss. Unset, no model is called.",
    )
    quiet_seconds: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="Debounce: the model reads a conversation after this many seconds without a message.",
    )
    max_tokens_per_day: int = Field(
        200_000, ge=0, description="Token limit of the model per day (UTC), input and output together."
    )
    max_cost_per_day: float | None = Field(
        None, ge=0, description="Cost limit of the model per day (UTC), in dollars by LiteLLM's prices."
    )
    rules: tuple[LearnRule, ...] = Field(
        (), description="Sentence patterns of your own, tried before the built-in ones."
    )
    redact: bool = Field(True, description="Secrets are replaced by `[REDACTED:kind]` before anything is stored.")
    redact_words: tuple[str, ...] = Field(
        (), description="Words of your own to treat as secrets, such as names of customers, in upper or lower case."
    )
    despite_no_logging: bool = Field(
        False, description="Also learn from calls for which LiteLLM's message logging is switched off."
    )

    @field_validator("redact_words")
    @classmethod
    def _not_blank(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not all(word.strip() for word in words):
            raise ValueError("a blank word would redact everything")
        return words


class RetentionSettings(Section):
    """What is deleted automatically. Pinned memories stay."""

    max_age_days: int | None = Field(
        None, ge=1, description="Memories that were neither made nor used for this many days are deleted."
    )
    max_memories: int = Field(
        100_000,
        ge=1,
        description="At most this many memories per user and partition, pinned ones not counted; above that, some are "
        "deleted.",
    )


class VendorMemory(Section):
    """Models behind a memory vendor's router, which remembers by itself and needs to know the user."""

    models: tuple[str, ...] = Field(min_length=1, description="Globs of the requested model names, as in `model_list`.")
    user_header: str = Field(
        "x-sm-user-id", min_length=1, max_length=256, description="The vendor's header that names the user."
    )


class HeaderPattern(Section):
    """One identity rule: a regular expression that is searched in a header's value."""

    header: Name = Field(description="Name of the request header.")
    pattern: Name = Field(description="Regular expression, searched in the header's value.")
    user_id: Name | None = Field(None, description="The user inside the partition when the pattern is found.")
    project: Name | None = Field(None, description="The project when the pattern is found.")
    client: Name | None = Field(None, description="The client's label when the pattern is found.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        return _compiled(value).pattern


class IdentitySettings(Section):
    """Whose memory a request sees."""

    header: Name = Field("x-memory-user-id", description="The header that names the user inside the partition.")

    @field_validator("header")
    @classmethod
    def _is_no_key(cls, header: str) -> str:
        if header.strip().lower().replace("_", "-").removeprefix("x-pass-") in KEY_HEADERS:
            raise ValueError("carries a key, which would be kept as the user's name; name another header")
        return header

    header_patterns: tuple[HeaderPattern, ...] = Field(
        (), description="Rules tried before the built-in client catalogue; the first match wins."
    )
    default_user_id: str = Field(
        "default", min_length=1, max_length=256, description="The user when nothing names one."
    )
    partition: Literal["user", "team", "key"] = Field(
        "user", description="Which part of the verified key binds memory: its user, its team or the key itself."
    )
    projects: Literal["open", "strict"] = Field(
        "open", description="`strict` hides project memories from requests that have no project."
    )
    delegating_keys: tuple[Name, ...] = Field(
        (),
        description="Key aliases, key hashes or user ids that may act for end users, as Open WebUI does; "
        "`master` means the master key.",
    )


class KindRule(Section):
    """Conditions that recognise a kind of request; at least one must be given, and all given ones must be met."""

    name: str = Field(min_length=1, description="The reason that is shown when the rule decides.")
    kind: Kind = Field(
        description="The kind of such a request. `person` skips the rules below, so only the shape decides."
    )
    headers: Mapping[str, re.Pattern[str]] = Field(
        {}, description="Every named header is present, and its regular expression is found in it."
    )
    text: re.Pattern[str] | None = Field(
        None, description="Regular expression: matches at the start of one of the texts since the last answer."
    )
    system: re.Pattern[str] | None = Field(
        None, description="Regular expression: matches at the start of one of the system texts."
    )
    output_keys: tuple[str, ...] | None = Field(
        None, description="The answer must be JSON with exactly these properties."
    )
    max_tokens: int | None = Field(None, ge=1, description="The answer may have at most this many tokens.")
    tools: bool | None = Field(None, description="Whether tools are offered to the model.")

    @field_validator("text", "system", mode="before")
    @classmethod
    def _compiles(cls, value: object) -> object:
        return _compiled(value) if isinstance(value, str) else value

    @field_validator("headers", mode="before")
    @classmethod
    def _compile(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        # Header names of requests are in lower case.
        return {str(name).lower(): cls._compiles(pattern) for name, pattern in value.items()}

    @model_validator(mode="after")
    def _has_a_condition(self) -> KindRule:
        conditions = self.model_dump(exclude={"name", "kind"})
        if all(value is None or value == {} for value in conditions.values()):
            raise ValueError(f"give at least one of {', '.join(conditions)}")
        return self


class SidecarSettings(Section):
    """The small web server to inspect and manage memory."""

    enabled: bool = Field(True, description="Start the sidecar with the proxy.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8764, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    api_key: Secret | None = Field(
        None, description="An extra operator key with the master key's rights. Unset, only LiteLLM's keys work."
    )
    requests_per_minute: int = Field(
        6000, ge=1, description="Requests a minute that one LiteLLM key may make; past that it is told to wait."
    )

    @property
    def address(self) -> str:
        """Its base URL as seen from this host."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class TracesSettings(Section):
    """Retention of traces: what memory did to each request, and why."""

    keep_days: int = Field(14, ge=0, le=3650, description="Traces older than this many days are deleted.")
    max_count: int = Field(
        100_000, ge=0, description="At most this many traces of all partitions; the oldest are deleted first."
    )


class UsageSettings(Section):
    """Retention of what calls cost."""

    keep_days: int = Field(
        400, ge=1, le=36_500, description="Calls older than this many days are deleted, also from the usage totals."
    )


class Settings(Section):
    """The whole ``litellm_memory:`` section. Every key has a default."""

    inject: bool = Field(True, description="Give memories to requests.")
    remember: bool = Field(True, description="Learn from exchanges.")
    models: GlobsSettings = Field(GlobsSettings(), description="Which requested model names take part.")
    keys: GlobsSettings = Field(GlobsSettings(), description="Which key aliases take part.")
    data_dir: Path = Field(
        Path(".litellm-memory"),
        description="The directory of all data on this host; relative to the config file.",
    )
    store: StoreSettings = Field(StoreSettings(), description="Where memories are kept.")
    ledger: LedgerSettings = Field(LedgerSettings(), description="Where the journal is kept.")
    embedding: EmbeddingSettings = Field(EmbeddingSettings(), description="What turns texts into vectors.")
    recall: RecallSettings = Field(RecallSettings(), description="What is recalled.")
    learn: LearnSettings = Field(LearnSettings(), description="What is learned.")
    retention: RetentionSettings = Field(RetentionSettings(), description="What is deleted automatically.")
    identity: IdentitySettings = Field(IdentitySettings(), description="Whose memory it is.")
    kinds: tuple[KindRule, ...] = Field(
        (), description="Rules for the kind of a request, tried before the built-in ones."
    )
    vendor_memory: tuple[VendorMemory, ...] = Field(
        (), description="Models behind a memory vendor's router. They get the resolved user, but no block of ours."
    )
    traces: TracesSettings = Field(TracesSettings(), description="Retention of traces.")
    usage: UsageSettings = Field(UsageSettings(), description="Retention of call costs.")
    sidecar: SidecarSettings = Field(SidecarSettings(), description="The web server next to the proxy.")

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL of the ledger; SQLite in ``data_dir`` unless one is set."""
        return self.ledger.url.get_secret_value() if self.ledger.url else f"sqlite:///{self.data_dir / 'ledger.db'}"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None


Environment: TypeAlias = Annotated[Mapping[str, str], "where os.environ/NAME is looked up"]


def load_settings(config: Mapping[str, Any], *, directory: Path, environment: Environment = os.environ) -> Settings:
    """The settings of a parsed LiteLLM config whose file is in ``directory``.

    Raises SettingsError with one sentence that names the key.
    """
    section = config.get(SECTION)
    if section is None:
        section = {}
    if not isinstance(section, Mapping):
        raise SettingsError(f"{SECTION}: is {type(section).__name__}, but it has to be a mapping of settings.")
    resolved = _with_environment(section, (SECTION,), environment)
    resolved = _with_user_id_mappings(resolved, config.get("user_id_mappings"))
    try:
        settings = Settings.model_validate(resolved)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    return settings.model_copy(update={"data_dir": (directory / settings.data_dir.expanduser()).resolve()})


def read_settings(path: Path) -> Settings:
    """The settings of the LiteLLM config file at ``path``. Raises SettingsError."""
    return load_settings(read_config(path), directory=path.resolve().parent)


def read_config(path: Path) -> Mapping[str, Any]:
    """The parsed LiteLLM config file at ``path``. Raises SettingsError."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError(f"{path} is not valid YAML.") from None
    if not isinstance(config, Mapping):
        raise SettingsError(f"{path} is not a LiteLLM config: its top level has to be a mapping.")
    return config


def user_headers(general: Any) -> frozenset[str]:
    """The headers, in lower case, from which LiteLLM takes a user by its ``general_settings``."""
    if not isinstance(general, Mapping):
        return frozenset()
    mappings = general.get("user_header_mappings")
    items = mappings if isinstance(mappings, list) else [mappings]
    names = [item.get("header_name") for item in items if isinstance(item, Mapping)]
    return frozenset(
        name.lower() for name in (*names, general.get("user_header_name")) if name and isinstance(name, str)
    )


def needs_restart(old: Settings, new: Settings) -> list[str]:
    """The keys that differ between the two and take effect only after a restart."""
    return [key for key in RESTART_KEYS if getattr(old, key) != getattr(new, key)]


def _with_environment(value: Any, path: tuple[str, ...], environment: Environment) -> Any:
    """``value`` with every ``os.environ/NAME`` replaced, as LiteLLM does in its own sections."""
    if isinstance(value, Mapping):
        return {key: _with_environment(item, (*path, str(key)), environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_environment(item, (*path, str(index)), environment) for index, item in enumerate(value)]
    if isinstance(value, str) and value.startswith("os.environ/"):
        name = value.removeprefix("os.environ/")
        if name not in environment:
            raise SettingsError(f"{'.'.join(path)}: the environment variable {name} is not set.")
        if not environment[name].strip():
            # What `${NAME:-}` in a compose file makes of a variable that was forgotten.
            raise SettingsError(f"{'.'.join(path)}: the environment variable {name} is set but blank.")
        return environment[name]
    return value


def _with_user_id_mappings(section: Mapping[str, Any], mappings: Any) -> Mapping[str, Any]:
    """``section`` merged with a top-level ``user_id_mappings:``; the section's own identity keys win."""
    if mappings is None:
        return section
    known = {"custom_header": "header", "header_patterns": "header_patterns", "default_user_id": "default_user_id"}
    if not isinstance(mappings, Mapping):
        raise SettingsError("user_id_mappings: has to be a mapping.")
    for key in mappings:
        if key not in known:
            raise SettingsError(f"user_id_mappings.{key}: unknown key{_nearest(str(key), list(known))}.")
    translated = {known[key]: value for key, value in mappings.items()}
    return {**section, "identity": {**translated, **(section.get("identity") or {})}}


def _sentence(error: ValidationError) -> str:
    """One sentence for the first mistake; never the value itself, which may be a secret."""
    mistakes = error.errors(include_url=False, include_input=False)
    # An unknown key goes first: it may be a misspelling of the key that another mistake reports as missing.
    first = next((mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"), mistakes[0])
    path = ".".join((SECTION, *(str(part) for part in first["loc"])))
    if first["type"] == "extra_forbidden":
        siblings = _known_keys(first["loc"][:-1])
        return f"{path}: unknown key{_nearest(str(first['loc'][-1]), siblings)}."
    return f"{path}: {first['msg'].removeprefix('Value error, ')}."


def _known_keys(path: Sequence[str | int]) -> list[str]:
    """The valid keys of the part of the section at ``path``."""
    model: Any = Settings
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        model = next((item for item in (*getattr(annotation, "__args__", ()), annotation) if _is_section(item)), model)
    return list(model.model_fields)


def _is_section(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, Section)


def _nearest(word: str, known: Sequence[str]) -> str:
    """A hint with the known key nearest to ``word``, or with all known keys when none is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; the nearest known one is {near[0]}" if near else f"; known are {', '.join(known)}"
