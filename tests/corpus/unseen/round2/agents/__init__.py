"""Two sessions of agents as they come over the wire, made of the texts beside this: each request repeats those before.

The writer gave each text its role and said who wrote it, and nothing of the wire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from corpus.unseen.session import Session

HERE = Path(__file__).parent
SUBAGENT = "You are exploring "
"""How the prompt of the one subagent begins, which is a conversation of its own."""
COMPACTED = ("This session is being continued", "Another language model started")
"""How the conversation begins after a compaction."""
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
SHORTEST = 25
"""Characters of a sentence of a machine that is looked for among what was learned."""
Item = Mapping[str, Any]


def session(name: str) -> Session:
    """The session ``claude_code`` or ``codex``."""
    told = json.loads((HERE / f"{name.removesuffix('_code')}_session.json").read_text(encoding="utf-8"))
    items = told["messages"]
    build: Callable[[list[Item]], Iterator[dict[str, Any]]] = _claude if name == "claude_code" else _codex
    planted = [{"fact": one["fact"], "text": items[one["index"]]["text"]} for one in told["planted"]]
    machine = {
        sentence.strip(): item["text"][:24]
        for item in items
        if item["who"] == "machine" and item["role"] != "assistant"
        for sentence in SENTENCE.split(item["text"])
        if len(sentence.strip()) >= SHORTEST
    }
    return Session([*build(items)], planted, machine)


def _claude(items: list[Item]) -> Iterator[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        block = _block(item["text"])
        if item["role"] == "user" and item["text"].startswith(SUBAGENT):
            yield _of_claude(
                [{"role": "user", "content": [block]}], "You are a file search specialist for Claude Code."
            )
            continue
        if item["text"].startswith(COMPACTED):
            messages = []
        if messages and messages[-1]["role"] == item["role"]:
            messages[-1] = {"role": item["role"], "content": [*messages[-1]["content"], block]}
        else:
            messages.append({"role": item["role"], "content": [block]})
        after = items[number + 1]["role"] if number + 1 < len(items) else "assistant"
        if item["role"] == "user" and after == "assistant":
            yield _of_claude([*messages], "You are Claude Code, Anthropic's official CLI for Claude.")


def _block(text: str) -> dict[str, Any]:
    if text.startswith(('{"type":"tool_use"', '{"type":"tool_result"')):
        return dict(json.loads(text))
    return {"type": "text", "text": text}


def _of_claude(messages: list[dict[str, Any]], system: str) -> dict[str, Any]:
    headers = {"user-agent": "claude-cli/2.1.197 (external, cli)", "x-claude-code-session-id": "7b0e2f9a"}
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Bash", "Read", "Write", "Agent")]
    body = {
        "model": "claude-sonnet-4-5", "max_tokens": 32000, "tools": tools,
        "system": [{"type": "text", "text": system}], "messages": messages,
    }  # fmt: skip
    return {"path": "/v1/messages", "headers": headers, "body": body}


def _codex(items: list[Item]) -> Iterator[dict[str, Any]]:
    given: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        if item["text"].startswith(COMPACTED):
            given = given[:3]
        given.append(_item(item))
        after = items[number + 1]["role"] if number + 1 < len(items) else "assistant"
        if item["role"] in ("user", "tool") and after == "assistant":
            yield _of_codex([*given])


def _item(item: Item) -> dict[str, Any]:
    text, role = item["text"], item["role"]
    if text.startswith('{"type":"function_call"'):
        return dict(json.loads(text))
    if role == "tool":
        return {"type": "function_call_output", "call_id": "call", "output": text}
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _of_codex(given: list[dict[str, Any]]) -> dict[str, Any]:
    headers = {"user-agent": "codex_cli_rs/0.171.0", "originator": "codex_cli_rs", "session-id": "01a22410"}
    tools = [{"type": "function", "name": "exec_command", "parameters": {"type": "object"}}]
    body = {"model": "gpt-5", "instructions": "You are Codex.", "tools": tools, "input": given, "stream": True}
    return {"path": "/v1/responses", "headers": headers, "body": body}
