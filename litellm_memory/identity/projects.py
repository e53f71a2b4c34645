"""The project of a request: its header, a rule, or the git remote that the client tells of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from litellm_memory.headers import Wishes, decoded, readable_id
from litellm_memory.identity.rules import first_match
from litellm_memory.settings import IdentitySettings

CODEX_METADATA: Final = "x-codex-turn-metadata"

_USUAL_PORTS: Final = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
# git's short form, `user@host:path`; a single letter before the colon is a drive of Windows.
_SHORT_REMOTE: Final = re.compile(r"(?:[^/\s]+@)?(?P<host>[^:/@\s]{2,}):(?P<path>(?!//).+)")


def choose_project(headers: Mapping[str, str], wishes: Wishes, settings: IdentitySettings) -> str | None:
    """The project: the explicit header, the first rule with a project, the client's git remote, else None."""
    if wishes.project is not None:
        return wishes.project
    match = first_match("project", headers, settings)
    return match.rule.project if match is not None else _codex_project(headers)


def normalised_remote(url: str) -> str | None:
    """A git remote as ``host/path``, the same for all its spellings; None when it names no host.

    Credentials, scheme, usual ports and ``.git`` are gone, the host is in lower case.
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


def _codex_project(headers: Mapping[str, str]) -> str | None:
    """The remote of the workspace that Codex works in; None when its workspaces have several, or none."""
    try:
        metadata = json.loads(decoded(headers.get(CODEX_METADATA, "")))
    except (ValueError, RecursionError):
        return None
    remotes = {normalised_remote(url) for url in _origins(metadata)} - {None}
    return remotes.pop() if len(remotes) == 1 else None


def _origins(metadata: object) -> Iterator[str]:
    workspaces = metadata.get("workspaces") if isinstance(metadata, dict) else None
    for workspace in workspaces.values() if isinstance(workspaces, dict) else ():
        remotes = workspace.get("associated_remote_urls") if isinstance(workspace, dict) else None
        origin = remotes.get("origin") if isinstance(remotes, dict) else None
        if isinstance(origin, str):
            yield origin
