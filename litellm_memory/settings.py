"""The ``litellm_memory:`` section as frozen models: validated once, passed in, replaced whole when the file changes."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
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
MASTER: Final = "master"
"""The word that means the master key, and nothing else, where keys are listed."""
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


def _as_written(value: object) -> object:
    """YAML reads a bare ``on`` or ``off`` as a boolean."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


Policy: TypeAlias = Annotated[Literal["on", "off", "opt_in"], BeforeValidator(_as_written)]
Policies: TypeAlias = Mapping[Name, Policy]
_GLOB: Final = re.compile(r"[*?\[]")


class LadderSettings(Section):
    """Who may: the most specific rung that says something about a key decides, and nothing lifts its `off`."""

    keys: Policies = Field({}, description="By alias or hash of the key; `master` means the master key alone.")
    users: Policies = Field({}, description="By id or e-mail address of the key's user.")
    teams: Policies = Field({}, description="By id or alias of the key's team.")
    organizations: Policies = Field({}, description="By id or alias of the key's organization.")
    everybody: Policy = Field(
        "on", description="For whom nothing above says anything. `opt_in`: off until that person says yes."
    )

    @cached_property
    def globs(self) -> Mapping[str, Policies]:
        """Of each rung the names that are globs: thousands may be written out, and each request asks."""
        rungs = ("keys", "users", "teams", "organizations")
        return {rung: {name: say for name, say in getattr(self, rung).items() if _GLOB.search(name)} for rung in rungs}


class PoliciesSettings(Section):
    """What memory may do for whom. What LiteLLM verified decides; all that clients and people say only narrows it."""

    recall: LadderSettings = Field(
        LadderSettings(), description="For whom it recalls: globs to `on`, `off` or `opt_in`."
    )
    learn: LadderSettings = Field(
        LadderSettings(), description="From whom it learns: globs to `on`, `off` or `opt_in`."
    )
    shared: LadderSettings = Field(
        LadderSettings(), description="Whom it gives what their team shares: globs to `on`, `off` or `opt_in`."
    )


class LayersSettings(Section):
    """What teams share: memories of a team beside each person's own."""

    teams: tuple[Name, ...] = Field(
        (), description="Globs of the teams that share memories, by id or alias; empty means none does."
    )
    curators: tuple[Name, ...] = Field(
        (),
        description="Globs of who approves what people of their own team propose: hashes of keys, ids or e-mail "
        "addresses of users.",
    )
    curator_roles: tuple[Name, ...] = Field(
        (), description="LiteLLM's roles whose keys approve for their own team too, such as `org_admin`."
    )
    delegating_keys: tuple[Name, ...] = Field(
        (), description="Keys of `identity.delegating_keys` whose requests are given what the key's team shares too."
    )
    default: Name | None = Field(
        None, description="Id of the team whose shared memories the master key's own requests are given."
    )


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
    query: Literal["auto", "static", "full"] = Field(
        "full",
        description="How the local model's vector of an English query is made. `auto`: from a table of its tokens' "
        "vectors, in a twentieth of the model's time, and by the model too when the result is unclear. `static`: "
        "always from the table. `full`: always by the model.",
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
    guardrails: Literal["auto", "off"] = Field(
        "auto",
        description="`auto`: a memory is given as the guardrails that the request meets let it through: masked, or not "
        "at all. `off`: they see it with the request alone, and may refuse the request for it.",
    )
    meaning: bool = Field(
        True,
        description="Questions in other languages than English find what they need by meaning too. "
        "Without it they find it by shared words alone, and the search process needs 120 MB less from the first such "
        "question on.",
    )
    process: bool = Field(
        True,
        description="Search in a process of its own, which all workers of this host share: they hold no memories in "
        "RAM, and a search takes no time of theirs. Off: each worker searches by itself.",
    )


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
    meaning: bool = Field(
        True,
        description="What is worth remembering, what takes whose place, what is a wish about memory, and what is an "
        "attack is judged by meaning where no pattern knows the sentence. Without it the keeper needs 120 MB less, and "
        "a message 1.3 ms less for each of its sentences and clauses.",
    )
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


class RetentionRule(Section):
    """An age of its own for some memories; a rule without conditions is for all."""

    kinds: tuple[MemoryKind, ...] = Field((), description="For memories of these kinds; all when left out.")
    project: Name | None = Field(None, description="For memories of projects that this glob fits.")
    max_age_days: int | None = Field(
        ge=1, description="They are deleted after this many days without coming here or being used; `null` keeps them."
    )


class RetentionSettings(Section):
    """What is deleted automatically. Pinned memories stay."""

    max_age_days: int | None = Field(
        None, ge=1, description="Memories that neither came here nor were used for this many days are deleted."
    )
    rules: tuple[RetentionRule, ...] = Field(
        (), description="Ages by kind and project; the first rule that fits counts, in place of `max_age_days`."
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
    framed_by: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$",
        description="Origin of LiteLLM's Admin UI, which may frame the page: `https://litellm.example.com`.",
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


class LogsSettings(Section):
    """What LiteLLM's own logs get."""

    blocks: Literal["out", "keep"] = Field(
        "out",
        description="`out`: LiteLLM's loggers, spend logs and callbacks get the client's own request, with the number "
        "of memories and the trace's id under `spend_logs_metadata`. `keep`: they get the blocks too, for debugging.",
    )


_WEBHOOK: Final = re.compile(r"https://[^\s/@]+(?:/\S*)?|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/\S*)?")


class AlertsSettings(Section):
    """Whom to tell that something waits for review, or that memory does not work."""

    webhook: Secret | None = Field(
        None,
        description="An address that is sent counts and ids, never a text, when more waits for review and when "
        "memory stops working or works again. `https`, or `http` on this host.",
    )
    secret: Secret | None = Field(
        None, description="Signs each message: `x-memory-signature` is `sha256=` and the HMAC-SHA256 of its body."
    )

    @field_validator("webhook")
    @classmethod
    def _is_safe(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _WEBHOOK.fullmatch(value.get_secret_value()):
            raise ValueError("has to be an https address without a user and a password, or an http one of this host")
        return value


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
    policies: PoliciesSettings = Field(PoliciesSettings(), description="What memory may do for whom.")
    layers: LayersSettings = Field(LayersSettings(), description="What teams share.")
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
    logs: LogsSettings = Field(LogsSettings(), description="What LiteLLM's own logs get.")
    alerts: AlertsSettings = Field(AlertsSettings(), description="Whom to tell what needs somebody.")
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML{_where(error)}.") from None
    if not isinstance(config, Mapping):
        raise SettingsError(f"{path} is not a LiteLLM config: its top level has to be a mapping.")
    return config


def _where(error: Exception) -> str:
    """Where in a YAML file an error is, and what tabs have to do with it; never what stands there."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    tab = ": a tab, where YAML takes spaces alone" if "'\\t'" in str(getattr(error, "problem", "")) else ""
    return f" (line {mark.line + 1}, column {mark.column + 1}{tab})"


def keys_named_twice(path: Path) -> list[tuple[str, int]]:
    """The keys that stand twice in one mapping of a YAML file, each with its second line; none for an unreadable
    file."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return []
    return list(_named_twice(root, "")) if root is not None else []


def _named_twice(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _named_twice(item, path)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = f"{path}.{key.value}".lstrip(".")
            if name in seen:
                yield name, key.start_mark.line + 1
            seen.add(name)
            yield from _named_twice(value, name)


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


def is_key_hash(name: str) -> bool:
    """True for the form of LiteLLM's hash of a key, which nobody can choose."""
    return _HASH.fullmatch(name) is not None


_HASH: Final = re.compile(r"[0-9a-f]{64}")


def needs_restart(old: Settings, new: Settings) -> list[str]:
    """The keys that differ between the two and take effect only after a restart."""
    return [key for key in RESTART_KEYS if getattr(old, key) != getattr(new, key)]


def revealed(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, secrets included, for another process of this user: ``Settings.model_validate``."""
    plain: dict[str, Any] = json.loads(json.dumps(settings.model_dump(), default=_plain))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, re.Pattern):
        return value.pattern
    return list(value) if isinstance(value, set | frozenset) else str(value)


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
    if isinstance(value, str) and (shell := _SHELL.search(value)):
        # LiteLLM replaces none of these, so the text itself would be the key, for anybody who reads the file.
        raise SettingsError(
            f"{'.'.join(path)}: ${{{shell[1]}}} is not replaced here; write os.environ/{shell[1]} as the whole value."
        )
    return value


_SHELL: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*+)[^{}]*\}")
"""A variable as shells and compose files write it."""


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
    wanted = _WANTED.get(first["type"])
    return f"{path}: {wanted} is wanted." if wanted else f"{path}: {first['msg'].removeprefix('Value error, ')}."


_WANTED: Final[Mapping[str, str]] = {
    "tuple_type": "a list, as in [one, two],",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "string_type": "a text",
    "model_type": "a mapping of settings",
    "model_attributes_type": "a mapping of settings",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}
"""In YAML's words, what pydantic's kinds of mistakes miss."""


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
