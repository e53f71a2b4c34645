"""Codex: its rollouts, `~/.codex/sessions/*/*/*/rollout-*.jsonl`, one session a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from litellm_memory.foreign.line import Json
from litellm_memory.foreign.talk import Talk


def fits(records: Sequence[Json]) -> bool:
    """True for the beginning of a rollout."""
    return any(one.get("type") == "session_meta" for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """The conversation of a session; none for that of a subagent, to which a model spoke."""
    talk: Talk | None = None
    for record in records:
        about = record.get("payload")
        if not isinstance(about, dict):
            continue
        if record.get("type") == "session_meta" and talk is None:
            if isinstance(about.get("source"), dict) or about.get("thread_source") == "subagent":
                left_out["subagent"] += 1
                return
            talk = Talk(_headers(about), left_out)
        elif talk is not None and record.get("type") == "response_item" and about.get("type") == "message":
            if about.get("role") == "user":
                talk.person(about.get("content"), record.get("timestamp"))
            elif about.get("role") == "assistant":
                talk.answer(about.get("content"))
    if talk is not None and (told := talk.conversation()) is not None:
        yield told


def _headers(about: dict[str, Any]) -> dict[str, str | None]:
    git, directory = about.get("git"), str(about.get("cwd") or "")
    remote = git.get("repository_url") if isinstance(git, dict) else None
    workspace = {"associated_remote_urls": {"origin": remote}} if isinstance(remote, str) else {}
    return {
        "user-agent": f"codex_cli_rs/{about.get('cli_version') or '0'}",
        "session-id": str(about.get("id") or ""),
        "x-codex-turn-metadata": json.dumps({"workspaces": {directory: workspace}}) if directory else None,
    }
