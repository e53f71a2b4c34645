"""The memory headers of a request: names, aliases, and what an unreadable value means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, get_args

from litellm_memory.models import BlockStyle, MemoryKind, readable_id, readable_text
from litellm_memory.redact.names import safe_id
from litellm_memory.settings import IdentitySettings

Value = TypeVar("Value")
Readers = Mapping[str, Callable[[str], Value | None]]

MAX_TAGS: Final = 100
STYLED_MAX_MEMORIES: Final = 12
"""How many memories a block has when the headers set its style but not their number: ai-mem's default."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What the memory headers of one request ask for. None, or an empty tuple: not given."""

    user: str | None = None
    project: str | None = None
    session: str | None = None
    inject: bool | None = None
    store: bool | None = None
    token_budget: int | None = None
    max_memories: int | None = None
    query: str | None = None
    kinds: tuple[MemoryKind, ...] = ()
    tags: tuple[str, ...] = ()
    layout: BlockStyle | None = None
    unreadable: tuple[str, ...] = ()
    """Names of the headers whose value could not be read."""
    refused: str | None = None
    """Why the whole request gets no memory: ``unreadable_identity`` or ``headers_disagree``."""


def read_options(headers: Mapping[str, str], settings: IdentitySettings) -> RequestOptions:
    """The options in ``headers`` (names in lower case). Never raises; an unreadable value fails closed.

    The request gets no memory when its user, project or session is unreadable, or when two aliases of one option
    disagree. An unreadable switch is off; any other unreadable value is ignored.
    """
    reading = _Reading(headers)
    user = reading.value(_user_readers(settings))
    project = reading.value(PROJECT)
    session = reading.value(SESSION)
    unreadable_identity = bool(reading.unreadable)
    layout = _layout(reading)
    max_memories = reading.value(MAX_MEMORIES)
    return RequestOptions(
        user=user,
        project=project,
        session=session,
        inject=reading.value(INJECT, unreadable=False),
        store=reading.value(STORE, unreadable=False),
        token_budget=reading.value(TOKEN_BUDGET),
        max_memories=STYLED_MAX_MEMORIES if max_memories is None and layout else max_memories,
        query=reading.value(QUERY),
        kinds=reading.value(_kinds_readers(headers)) or (),
        tags=reading.value(TAGS) or (),
        layout=layout,
        unreadable=tuple(reading.unreadable),
        refused=(
            "unreadable_identity" if unreadable_identity else "headers_disagree" if reading.disagreement else None
        ),
    )


def is_memory_header(name: str, settings: IdentitySettings) -> bool:
    """True for a header, in any spelling, that is meant for memory only and so must not reach a provider.

    False for a credential that is configured as ``identity.header``: LiteLLM needs it to authenticate.
    """
    plain = plain_name(name)
    return plain.startswith(PREFIXES) or (plain == plain_name(settings.header) and not holds_credentials(plain))


def gathered(headers: Iterable[tuple[str, str]], settings: IdentitySettings) -> dict[str, str]:
    """Headers by name in lower case; memory headers by their plain name, so that every spelling works.

    Repeated headers are joined by commas, as HTTP specifies. A memory header that is repeated with another value is
    joined so that it is unreadable, and fails closed.
    """
    found: dict[str, str] = {}
    for given, value in headers:
        name, separator = given.lower(), ","
        if is_memory_header(name, settings):
            name, separator = plain_name(name), _UNREADABLE
            if found.get(name) == value:
                continue
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found


def plain_name(name: str) -> str:
    """The canonical spelling of a header name."""
    # LiteLLM's pass-through routes forward `x-pass-<name>` as `<name>`, and gateways write `_` for `-`.
    return name.lower().replace("_", "-").removeprefix("x-pass-")


_UNREADABLE = "\n"


def holds_credentials(name: str) -> bool:
    """True for a header whose name suggests that its value must never be shown."""
    return _CREDENTIAL_NAME.search(name) is not None


_CREDENTIAL_NAME = re.compile(r"auth|key|token|secret|cookie|passw|credential|jwt|signature", re.IGNORECASE)


def decoded(value: str) -> str:
    """The value of a header, decoded as UTF-8 where that is valid."""
    # ASGI servers decode header bytes as Latin-1, and clients send UTF-8.
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _switch(value: str) -> bool | None:
    return _BOOLEANS.get(value.strip().lower())


def _reversed_switch(value: str) -> bool | None:
    switch = _switch(value)
    return None if switch is None else not switch


_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def _count(value: str) -> int | None:
    return int(value) if re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else None


def _tags(value: str) -> tuple[str, ...] | None:
    tags = [readable_id(tag) for tag in value.split(",") if tag.strip()]
    readable = tuple(tag for tag in tags if tag is not None)
    return readable if 0 < len(readable) == len(tags) <= MAX_TAGS else None


def _field(value: str) -> str | None:
    return field if (field := value.strip().lower()) in ("content", "summary") else None


def _kinds(value: str) -> tuple[MemoryKind, ...] | None:
    wanted = {kind.strip().lower() for kind in value.split(",") if kind.strip()}
    known: Sequence[MemoryKind] = get_args(MemoryKind)
    return tuple(kind for kind in known if kind in wanted) if wanted and wanted <= set(known) else None


# The canonical name comes first; the others are the names that earlier memory proxies use for the same option.
USER: Final[Readers[str]] = dict.fromkeys(("x-memory-user-id", "x-maia-namespace"), safe_id)
PROJECT: Final[Readers[str]] = dict.fromkeys(("x-memory-project", "x-ai-mem-project"), safe_id)
SESSION: Final[Readers[str]] = dict.fromkeys(("x-memory-session-id", "x-ai-mem-session-id"), safe_id)
INJECT: Final[Readers[bool]] = {
    "x-memory-inject": _switch,
    "x-ai-mem-inject": _switch,
    "x-maia-skip-memory": _reversed_switch,
}
STORE: Final[Readers[bool]] = {
    "x-memory-store": _switch,
    "x-ai-mem-store": _switch,
    "x-maia-skip-extract": _reversed_switch,
}
TOKEN_BUDGET: Final[Readers[int]] = dict.fromkeys(("x-memory-token-budget", "x-maia-token-budget"), _count)
MAX_MEMORIES: Final[Readers[int]] = dict.fromkeys(("x-memory-max", "x-ai-mem-total"), _count)
QUERY: Final[Readers[str]] = dict.fromkeys(("x-memory-query", "x-ai-mem-query"), readable_text)
KINDS: Final[Readers[tuple[MemoryKind, ...]]] = dict.fromkeys(
    ("x-memory-kinds", "x-ai-mem-obs-types", "x-ai-mem-obs-type"), _kinds
)
TAGS: Final[Readers[tuple[str, ...]]] = dict.fromkeys(("x-memory-tags", "x-ai-mem-tags"), _tags)
FULL: Final[Readers[int]] = dict.fromkeys(("x-memory-full", "x-ai-mem-full"), _count)
FULL_FIELD: Final[Readers[str]] = dict.fromkeys(("x-memory-full-field", "x-ai-mem-full-field"), _field)
SHOW_TOKENS: Final[Readers[bool]] = dict.fromkeys(("x-memory-show-tokens", "x-ai-mem-show-tokens"), _switch)
WRAP: Final[Readers[bool]] = dict.fromkeys(("x-memory-wrap", "x-ai-mem-wrap"), _switch)

NAMES: Final = frozenset(
    (
        *USER,
        *PROJECT,
        *SESSION,
        *INJECT,
        *STORE,
        *TOKEN_BUDGET,
        *MAX_MEMORIES,
        *QUERY,
        *KINDS,
        *TAGS,
        *FULL,
        *FULL_FIELD,
        *SHOW_TOKENS,
        *WRAP,
    )
)
"""Every memory header that is read, in lower case, except the configured ``identity.header``."""
PREFIXES: Final = ("x-memory-", "x-ai-mem-", "x-maia-")
"""What the names of all memory headers begin with, also of those that nothing here reads."""


def _user_readers(settings: IdentitySettings) -> Readers[str]:
    """The headers that name the user: the configured one, and the built-in names as its aliases."""
    return {plain_name(settings.header): safe_id, **USER}


def _kinds_readers(headers: Mapping[str, str]) -> Readers[tuple[MemoryKind, ...]]:
    """The headers that filter by kind; ai-mem's single type overrides its list of types, as in ai-mem."""
    if "x-ai-mem-obs-type" in headers:
        return {name: reader for name, reader in KINDS.items() if name != "x-ai-mem-obs-types"}
    return KINDS


def _layout(reading: _Reading) -> BlockStyle | None:
    """The style of the block, with ai-mem's defaults for what is not given; None when no header sets a style."""
    full, field = reading.value(FULL), reading.value(FULL_FIELD)
    show_tokens, wrap = reading.value(SHOW_TOKENS, unreadable=False), reading.value(WRAP, unreadable=False)
    if full is None and field is None and show_tokens is None and wrap is None:
        return None
    usual = BlockStyle()
    return BlockStyle(
        full=usual.full if full is None else full,
        summaries=field == "summary",
        show_tokens=show_tokens is not False,
        wrap=wrap is not False,
    )


class _Reading:
    """Reads one option after another, and notes which headers are unreadable and whether aliases disagree."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self.unreadable: list[str] = []
        self.disagreement = False

    def value(self, readers: Readers[Value], *, unreadable: Value | None = None) -> Value | None:
        """The value that the headers named in ``readers`` give; ``unreadable`` replaces one that cannot be read."""
        values: list[Value] = []
        for name, read in readers.items():
            if name not in self._headers:
                continue
            value = read(decoded(self._headers[name]))
            if value is None:
                self.unreadable.append(name)
                value = unreadable
            if value is not None:
                values.append(value)
        self.disagreement = self.disagreement or any(value != values[0] for value in values)
        return values[0] if values else None
