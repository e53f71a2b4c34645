"""The client rules, from the settings and then the built-in catalogue of clients, and how they are matched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict

from litellm_memory.identity.headers import decoded
from litellm_memory.models import Turn
from litellm_memory.redact.names import safe_id
from litellm_memory.settings import HeaderPattern, IdentitySettings

LONGEST_VALUE: Final = 1024
"""Characters of a header value that rules are matched against."""

_LONGEST_HINT: Final = 4000

RuleField: TypeAlias = Literal["user_id", "project"]


class Hint(BaseModel):
    """A client's label, found at the start of a system text. Vendors may reword that text, so it never sets a user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str
    pattern: re.Pattern[str]


class DirectoryHint(BaseModel):
    """How clients state their working directory. clients.yaml explains the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    clients: frozenset[str] = frozenset()
    inside: str | None = None
    root: str | None = None
    last: bool = False


class Catalogue(BaseModel):
    """What is known about clients: rules that recognise applications and libraries, hints, sessions, directories."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    applications: tuple[HeaderPattern, ...]
    libraries: tuple[HeaderPattern, ...]
    hints: tuple[Hint, ...]
    sessions: tuple[str, ...]
    directories: tuple[DirectoryHint, ...]

    @property
    def rules(self) -> tuple[HeaderPattern, ...]:
        """The rules of applications, then those of libraries, in the order in which they are tried."""
        return (*self.applications, *self.libraries)


@cache
def catalogue() -> Catalogue:
    """The built-in catalogue of clients, read once."""
    text = resources.files(__package__).joinpath("clients.yaml").read_text(encoding="utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that matched, and the part of the header value that was searched."""

    rule: HeaderPattern
    value: str


def in_force(settings: IdentitySettings) -> Iterator[tuple[Literal["settings", "catalogue"], HeaderPattern]]:
    """Every rule and its source, in the order in which they are tried."""
    for rule in settings.header_patterns:
        yield "settings", rule
    for rule in catalogue().rules:
        yield "catalogue", rule


def first_match(field: RuleField, headers: Mapping[str, str], settings: IdentitySettings) -> Match | None:
    """The first rule that matches ``headers`` and sets a user or project, as ``field`` says."""
    own = [rule for rule in settings.header_patterns if getattr(rule, field)]
    return _first_found((*own, *_built_in(field)), headers)


def client_label(headers: Mapping[str, str], turn: Turn, settings: IdentitySettings) -> str | None:
    """The client's label, from the settings' rules, else an application, a hint in a system text, or a library."""
    named = [rule for rule in settings.header_patterns if rule.client]
    application = _first_found((*named, *catalogue().applications), headers)
    if application is not None:
        return application.rule.client
    hinted = _hinted(turn)
    if hinted is not None:
        return hinted
    library = _first_found(catalogue().libraries, headers)
    return None if library is None else library.rule.client


def client_session(headers: Mapping[str, str]) -> str | None:
    """The session id in the client's own headers; None when there is none or it is unreadable."""
    for name in catalogue().sessions:
        session = safe_id(decoded(headers[name])) if name in headers else None
        if session is not None:
            return session
    return None


@cache
def _built_in(field: RuleField) -> tuple[HeaderPattern, ...]:
    """The catalogue's rules that set ``field``, cached: there are few, and scanning the whole catalogue was slow."""
    return tuple(rule for rule in catalogue().rules if getattr(rule, field))


def _first_found(rules: Sequence[HeaderPattern], headers: Mapping[str, str]) -> Match | None:
    for rule in rules:
        value = headers.get(rule.header.lower())
        if value is not None and re.search(rule.pattern, value[:LONGEST_VALUE]):
            return Match(rule, value[:LONGEST_VALUE])
    return None


def _hinted(turn: Turn) -> str | None:
    starts = [
        text.text.lstrip()[:_LONGEST_HINT]
        for message in turn.messages
        if message.role == "system"
        for text in message.texts
    ]
    return next((hint.client for hint in catalogue().hints for start in starts if hint.pattern.match(start)), None)
