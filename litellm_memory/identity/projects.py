"""The project of a request: from its header, a rule, or the git remote or working directory that the client states."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from litellm_memory.identity.directories import client_directory, normalised_path
from litellm_memory.identity.headers import RequestOptions, decoded
from litellm_memory.identity.rules import first_match
from litellm_memory.models import Scope, Turn, readable_id
from litellm_memory.redact import Redactor
from litellm_memory.redact.names import hidden
from litellm_memory.screening import shown_aim
from litellm_memory.settings import IdentitySettings

CODEX_METADATA: Final = "x-codex-turn-metadata"

_USUAL_PORTS: Final = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
# git's short form, `user@host:path`; a single letter before the colon is a drive of Windows.
_SHORT_REMOTE: Final = re.compile(r"(?:[^/\s]+@)?(?P<host>[^:/@\s]{2,}):(?P<path>(?!//).+)")


@dataclass(frozen=True, slots=True)
class ChosenProject:
    """The project, and the working directory when only the client's own statements name the project."""

    project: str | None = None
    path: str | None = None


@lru_cache(4096)
def safe_project(name: str) -> str:
    """``name``; a keyless hash instead of one that holds a secret or reads like an attack.

    Models read it in the headings of blocks, and a directory or a remote is named by whoever made it.
    """
    parts = (_BETWEEN_WORDS.split(part) for part in name.replace("\\", "/").split("/"))
    readings = [" ".join(words) for words in parts if len(words) >= _OF_A_SENTENCE]
    readings += [] if _PLAIN.fullmatch(name) else [name]
    if Redactor().text(name) != name:
        return hidden(name)
    if not any(map(shown_aim, readings)):
        return name
    return f"project-{sha256(name.encode(errors='replace')).hexdigest()[:12]}"


_BETWEEN_WORDS: Final = re.compile(r"[-_+%\s]+")
_PLAIN: Final = re.compile(r"[\w .:@~+/\\-]*")
_OF_A_SENTENCE: Final = 4
"""A part of a path with as many words may be a sentence."""


def choose_project(
    headers: Mapping[str, str], options: RequestOptions, turn: Turn, client: str | None, settings: IdentitySettings
) -> ChosenProject:
    """The project, from the explicit header, else a rule, else the client's git remote, else its directory."""
    if options.project is not None:
        return ChosenProject(safe_project(options.project))
    match = first_match("project", headers, settings)
    if match is not None:
        return ChosenProject(match.rule.project)
    directory = client_directory(turn, client)
    checkouts = _codex_checkouts(headers)
    root = _root_of(directory, checkouts)
    if root is None:
        return _of_directory(directory)
    # Codex always states its directory, but its git remote only after it has looked that up: see said_in.
    path = root if directory is None else directory
    remote = checkouts[root]
    return _of_directory(path) if remote is None else ChosenProject(remote, _of_directory(path).path)


def _of_directory(directory: str | None) -> ChosenProject:
    name = directory and safe_project(directory)
    return ChosenProject(name, directory if name == directory else None)


def client_checkouts(scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
    """The git checkouts that the client states in this request: directory to remote."""
    if scope.path is None:
        return {}
    checkouts = _codex_checkouts(headers)
    root = _root_of(scope.path, checkouts)
    if root is not None:
        checkouts[scope.path] = checkouts[root]
    return {path: remote for path, remote in checkouts.items() if remote is not None}


def normalised_remote(url: str) -> str | None:
    """A git remote as ``host/path``, the same for all its spellings; None when it names no host.

    Credentials, scheme, default ports and ``.git`` are removed, the host is in lower case.
    """
    host_and_path = _of_url(url.strip()) if "://" in url else _of_short_form(url.strip())
    if host_and_path is None:
        return None
    host, path = host_and_path
    path = path.strip("/").removesuffix(".git").rstrip("/")
    return readable_id(f"{host.lower()}/{path}") if path else None


def _of_url(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme == "file":
        return None
    usual = port is None or port == _USUAL_PORTS.get(parts.scheme)
    return host if usual else f"{host}:{port}", parts.path


def _of_short_form(url: str) -> tuple[str, str] | None:
    found = _SHORT_REMOTE.fullmatch(url)
    return (found["host"], found["path"]) if found else None


def _codex_checkouts(headers: Mapping[str, str]) -> dict[str, str | None]:
    """The workspaces that Codex states: the root of each checkout, and its remote if it has one."""
    if CODEX_METADATA not in headers:
        return {}
    try:
        metadata = json.loads(decoded(headers[CODEX_METADATA]))
    except (ValueError, RecursionError):
        return {}
    workspaces = metadata.get("workspaces") if isinstance(metadata, dict) else None
    known = workspaces if isinstance(workspaces, dict) else {}
    roots = {normalised_path(path): _remote(workspace) for path, workspace in known.items()}
    return {root: remote for root, remote in roots.items() if root is not None and safe_project(root) == root}


def _remote(workspace: object) -> str | None:
    remotes = workspace.get("associated_remote_urls") if isinstance(workspace, dict) else None
    origin = remotes.get("origin") if isinstance(remotes, dict) else None
    remote = normalised_remote(origin) if isinstance(origin, str) else None
    return remote and safe_project(remote)


def _root_of(directory: str | None, checkouts: Mapping[str, str | None]) -> str | None:
    """The innermost checkout that contains ``directory``, else the first one; None when there are no checkouts."""
    holding = [root for root in checkouts if directory is not None and _holds(root, directory)]
    return max(holding, key=len, default=next(iter(checkouts), None))


def _holds(root: str, directory: str) -> bool:
    return directory == root or directory.startswith((f"{root}/", f"{root}\\"))
