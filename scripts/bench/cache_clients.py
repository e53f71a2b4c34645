"""How clients write a conversation down: the whole history in every request, in the client's own wire format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from bed.answers import Answer, ToolCall
from cache_story import Call, Turn, prose, turns

JSON: TypeAlias = dict[str, Any]
Items: TypeAlias = list[JSON]
Kind: TypeAlias = Literal["person", "continuation", "side_call", "compaction", "again"]

SESSION = "6f1c7c1e-5a0b-4a51-9d0b-3f6f1d2b7a10"
COMPACTION = (
    "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\n"
    "Write down everything that is needed to go on with this work, in the order in which it happened."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a client, and how the provider answers it. ``again``: the request before, once more."""

    kind: Kind
    body: JSON
    answer: Answer
    headers: Mapping[str, str] = field(default_factory=dict)
    """Where they differ from the client's usual ones."""

    @property
    def fails(self) -> bool:
        """The provider refuses it, or its answer breaks off."""
        return self.answer.status != 200 or self.answer.breaks


@dataclass(frozen=True, slots=True)
class Client:
    """How one client talks. Every function makes items of its history."""

    id: str
    path: str
    person: Callable[[str, bool], Items]
    """A person's words; True when they are the first."""
    call: Callable[[Call], Items]
    result: Callable[[Call], Items]
    answer: Callable[[str], Items]
    body: Callable[[Items], JSON]
    tools: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    first_headers: Mapping[str, str] = field(default_factory=dict)
    """Where those of its first request differ."""
    query: Mapping[str, str] = field(default_factory=dict)
    title: Callable[[str], JSON] | None = None
    """The side-call that a first message is followed by."""
    compacted: Callable[[Items], JSON] | None = None
    """The request that asks for a summary of the history."""
    went_on: Callable[[str], Items] | None = None
    """How the history begins after that summary."""
    resumed: Items = field(default_factory=list)
    """What stands before the next words after the client itself was started again."""


def talk(client: Client, *, count: int = 12) -> Iterator[Step]:
    """A conversation of so many turns, request by request."""
    story = turns(client.id, tools=client.tools, count=count)
    compact_after = (2 * count) // 3
    history: Items = []
    for number, turn in enumerate(story):
        if client.title and number == 0:
            yield Step("side_call", client.title(turn.words), Answer('{"title": "Staging and releases"}'))
        if number == count // 2:
            history = [*history, *client.resumed]
        history = [*history, *client.person(turn.words, not history)]
        yield from _turn(client, history, turn, client.first_headers if number == 0 else {})
        history = [*history, *_loop(client, turn), *client.answer(turn.answer)]
        if client.compacted and client.went_on and number + 1 == compact_after:
            summary = prose(f"{client.id} summary", 400)
            yield Step("compaction", client.compacted(history), Answer(summary))
            history = client.went_on(summary)


def _turn(client: Client, history: Items, turn: Turn, headers: Mapping[str, str]) -> Iterator[Step]:
    """The requests of one turn: the person's, then one after each tool. ``headers`` are those of the first."""
    kind: Kind = "person"
    for call in turn.calls:
        called = ToolCall(call.name, dict(call.arguments), call.id)
        yield Step(kind, client.body(history), Answer(tool=called), headers)
        history, kind, headers = [*history, *client.call(call), *client.result(call)], "continuation", {}
    yield Step(kind, client.body(history), Answer(turn.answer), headers)


def _loop(client: Client, turn: Turn) -> Items:
    return [item for call in turn.calls for item in (*client.call(call), *client.result(call))]


def retried(client: Client, *, count: int = 6) -> Iterator[Step]:
    """A conversation in which every request that begins a turn fails in some way, and is sent again."""
    failures = (Answer(status=500), Answer(prose("broken", 60), frames=4, breaks=True))
    for number, step in enumerate(talk(client, count=count)):
        if step.kind == "person":
            streams = bool(step.body.get("stream"))
            yield replace(step, answer=failures[number % 2 if streams else 0])
            yield replace(step, kind="again")
        else:
            yield step


def asked_twice(client: Client, *, count: int = 6) -> Iterator[Step]:
    """A conversation in which the person has every answer made a second time: a new beginning, not a retry."""
    for step in talk(client, count=count):
        yield step
        if step.kind == "person":
            yield step


# --- tools and texts ---

_PROPERTIES = {"path": {"type": "string", "description": "The file, from the root of the project"}}
_SCHEMA: JSON = {"type": "object", "properties": _PROPERTIES, "required": ["path"]}
_NAMES = ("read_file", "search", "run_command", "write_file", "list_files", "fetch_page", "ask_person", "plan")


def _described(name: str) -> str:
    return prose(f"tool {name}", 120)


def _cached(items: Sequence[JSON], *places: int) -> Items:
    """Messages whose last part carries a mark at each of these places."""
    marked = list(items)
    for place in places:
        *parts, last = marked[place]["content"]
        marked[place] = {**marked[place], "content": [*parts, {**last, "cache_control": {"type": "ephemeral"}}]}
    return marked


def _text(text: str, **more: Any) -> JSON:
    return {"type": "text", "text": text, **more}


def _last(items: Sequence[JSON], role: str, number: int = 1) -> int:
    """The place of the last message of a role, or of one before it."""
    places = [place for place, item in enumerate(items) if item.get("role") == role]
    return places[-min(number, len(places))]


_MARK = {"cache_control": {"type": "ephemeral"}}

# --- Anthropic: Claude Code, and a client with as many marks as there may be ---

_CLAUDE_TOOLS = [{"name": name, "description": _described(name), "input_schema": _SCHEMA} for name in _NAMES]
_CLAUDE_SYSTEM = [
    _text("x-anthropic-billing-header: cc_version=2.1.197.6c7; cc_entrypoint=cli;"),
    _text("You are Claude Code, Anthropic's official CLI for Claude.", **_MARK),
    _text(
        f"{prose('claude-code system', 2500)}\n\n# Environment\n - Primary working directory: /home/ada/shop", **_MARK
    ),
]
_REMINDER = "<system-reminder>\nThe following may help.\n# currentDate\nToday is 2026-11-21.\n</system-reminder>"
_TODO_REMINDER = "<system-reminder>\nThe list of tasks is empty. Do not speak of this to the user.\n</system-reminder>"


def _claude_person(words: str, first: bool) -> Items:
    if first:
        said = {"role": "user", "content": [_text(_REMINDER), _text(words)]}
        return [
            said,
            {"role": "system", "content": "Agent types for the Agent tool:\n- explorer: reads, changes nothing"},
        ]
    reminded = [_text(_TODO_REMINDER)] if len(words) % 2 else []
    return [{"role": "user", "content": [_text(words), *reminded]}]


def _claude_call(call: Call) -> Items:
    use = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
    return [{"role": "assistant", "content": [_text("Looking."), use]}]


def _claude_result(call: Call) -> Items:
    return [{"role": "user", "content": [{"tool_use_id": call.id, "type": "tool_result", "content": call.result}]}]


def _claude_answer(text: str) -> Items:
    return [{"role": "assistant", "content": [_text(text)]}]


def _claude_common(model: str) -> JSON:
    user = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": SESSION})
    return {"model": model, "max_tokens": 32000, "metadata": {"user_id": user}, "stream": True}


def _claude_code(items: Items, model: str) -> JSON:
    return {
        **_claude_common(model),
        "messages": _cached(items, _last(items, "user")),
        "system": _CLAUDE_SYSTEM,
        "tools": _CLAUDE_TOOLS,
        "thinking": {"type": "adaptive"},
    }


def _claude_title(words: str, model: str) -> JSON:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    return {
        **_claude_common(model),
        "messages": [{"role": "user", "content": [_text(f"<session>\n{words}\n</session>\n\nWrite the title.")]}],
        "system": [*_CLAUDE_SYSTEM[:1], _text("Generate a concise, sentence-case title for this coding session.")],
        "tools": [],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


def _claude_compacted(items: Items, model: str) -> JSON:
    asked = [*items, {"role": "user", "content": [_text(COMPACTION)]}]
    return {**_claude_code(asked, model), "messages": _cached(asked, _last(asked, "assistant"))}


def _claude_went_on(summary: str) -> Items:
    begins = "This session is being continued from a previous conversation that ran out of context.\n\n"
    return [{"role": "user", "content": [_text(_REMINDER), _text(begins + summary)]}, *_claude_answer("I go on.")]


def _claude_client(id: str, path: str, model: str) -> Client:
    return Client(
        id=id,
        path=path,
        person=_claude_person,
        call=_claude_call,
        result=_claude_result,
        answer=_claude_answer,
        body=lambda items: _claude_code(items, model),
        headers={
            "user-agent": "claude-cli/2.1.197 (external, cli)",
            "x-app": "cli",
            "x-claude-code-session-id": SESSION,
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "claude-code-20250219,mid-conversation-system-2026-04-07",
        },
        query={"beta": "true"},
        title=lambda words: _claude_title(words, model),
        compacted=lambda items: _claude_compacted(items, model),
        went_on=_claude_went_on,
    )


def _four_marks(items: Items) -> JSON:
    places = sorted({_last(items, "user"), _last(items, "user", 2)})
    return {
        "model": "claude",
        "max_tokens": 8000,
        "messages": _cached(items, *places),
        "system": [_text(prose("four marks system", 1500), **_MARK)],
        "tools": [*_CLAUDE_TOOLS[:-1], {**_CLAUDE_TOOLS[-1], **_MARK}],
    }


def _plain_claude_person(words: str, first: bool) -> Items:
    return [{"role": "user", "content": [_text(words)]}]


# --- OpenAI: Codex ---

_CODEX_TOOLS = [
    {"type": "function", "name": name, "description": _described(name), "strict": False, "parameters": _SCHEMA}
    for name in _NAMES
]
_ENVIRONMENT = "<environment_context>\n  <cwd>/home/ada/shop</cwd>\n  <shell>bash</shell>\n</environment_context>"
_RESUMED = "<environment_context>\n  <current_date>2026-11-21</current_date>\n</environment_context>"
_CODEX_FIRST = {"session_id": SESSION, "request_kind": "turn", "thread_source": "user"}
# Codex looks for the git remote while its first request is on the way.
_CODEX_METADATA = {
    **_CODEX_FIRST,
    "workspaces": {"/home/ada/shop": {"associated_remote_urls": {"origin": "https://git.example.com/acme/shop.git"}}},
}


def _codex_item(role: str, text: str) -> JSON:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


_CODEX_OPENING = [_codex_item("developer", prose("codex system", 2000)), _codex_item("user", _ENVIRONMENT)]


def _codex_person(words: str, first: bool) -> Items:
    return [*(_CODEX_OPENING if first else []), _codex_item("user", words)]


def _codex_call(call: Call) -> Items:
    thought = {"type": "reasoning", "id": f"rs_{call.id}", "summary": [], "encrypted_content": prose(call.id, 40)}
    called = {
        "type": "function_call",
        "status": "completed",
        "id": f"fc_{call.id}",
        "name": call.name,
        "arguments": json.dumps(call.arguments),
        "call_id": call.id,
    }
    return [thought, called]


def _codex_result(call: Call) -> Items:
    return [{"type": "function_call_output", "call_id": call.id, "output": call.result}]


def _codex_answer(text: str) -> Items:
    part = {"type": "output_text", "text": text, "annotations": []}
    return [{"type": "message", "status": "completed", "role": "assistant", "content": [part]}]


def _codex(items: Items) -> JSON:
    return {
        "model": "gpt",
        "stream": True,
        "input": items,
        "tools": _CODEX_TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": SESSION,
    }


# --- OpenAI: opencode, and programs on the SDK ---

_CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": _described(name), "parameters": _SCHEMA}}
    for name in _NAMES
]


def _chat_person(words: str, first: bool) -> Items:
    return [{"role": "user", "content": words}]


def _quoted_person(words: str, first: bool) -> Items:
    return [{"role": "user", "content": f'"{words}"'}]


def _chat_call(call: Call) -> Items:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    called = [{"id": call.id, "type": "function", "function": function}]
    return [{"role": "assistant", "content": "", "tool_calls": called}]


def _chat_result(call: Call) -> Items:
    return [{"role": "tool", "tool_call_id": call.id, "content": call.result}]


def _chat_answer(text: str) -> Items:
    return [{"role": "assistant", "content": text}]


def _chat(items: Items, *, system: str, **more: Any) -> JSON:
    return {"model": "gpt", "messages": [{"role": "system", "content": system}, *items], **more}


_OPENCODE_SYSTEM = f"{prose('opencode system', 2000)}\n<env>\n  Working directory: /home/ada/shop\n</env>"


def _opencode_title(words: str) -> JSON:
    asked = [{"role": "user", "content": "Generate a title for this conversation:\n"}, *_quoted_person(words, True)]
    return _chat(asked, system="You are a title generator. You output ONLY a thread title.", stream=True)


def _marked_chat(items: Items) -> JSON:
    """What a program sends to a Claude model through chat completions: marks in its parts of text."""
    system = {"role": "system", "content": [_text(prose("chat to claude system", 1500), **_MARK)]}
    return {
        "model": "claude",
        "messages": [system, *_cached(items, _last(items, "user"))],
        "max_tokens": 4000,
    }


# --- Gemini CLI ---

_GEMINI_TOOLS = [
    {
        "functionDeclarations": [
            {"name": name, "description": _described(name), "parametersJsonSchema": _SCHEMA} for name in _NAMES
        ]
    }
]
_SESSION_CONTEXT = (
    "<session_context>\nThis is the Gemini CLI. We are setting up the context for our chat.\n"
    "- **Workspace Directories:**\n  - /home/ada/shop\n</session_context>"
)


def _gemini_person(words: str, first: bool) -> Items:
    return [{"parts": [*([{"text": _SESSION_CONTEXT}] if first else []), {"text": words}], "role": "user"}]


def _gemini_call(call: Call) -> Items:
    return [{"parts": [{"functionCall": {"id": call.id, "args": call.arguments, "name": call.name}}], "role": "model"}]


def _gemini_result(call: Call) -> Items:
    response = {"name": call.name, "response": {"output": call.result}, "id": call.id}
    return [{"parts": [{"functionResponse": response}], "role": "user"}]


def _gemini_answer(text: str) -> Items:
    return [{"parts": [{"text": text}], "role": "model"}]


def _gemini(items: Items) -> JSON:
    return {
        "contents": items,
        "systemInstruction": {"parts": [{"text": prose("gemini system", 2000)}], "role": "user"},
        "tools": _GEMINI_TOOLS,
        "generationConfig": {"temperature": 1, "topP": 0.95},
    }


# --- Bedrock ---

_POINT: JSON = {"cachePoint": {"type": "default"}}
_CONVERSE_TOOLS = [
    {"toolSpec": {"name": name, "description": _described(name), "inputSchema": {"json": _SCHEMA}}} for name in _NAMES
]


def _converse_person(words: str, first: bool) -> Items:
    return [{"role": "user", "content": [{"text": words}]}]


def _converse_call(call: Call) -> Items:
    use = {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}}
    return [{"role": "assistant", "content": [use]}]


def _converse_result(call: Call) -> Items:
    result = {"toolResult": {"toolUseId": call.id, "content": [{"text": call.result}]}}
    return [{"role": "user", "content": [result]}]


def _converse_answer(text: str) -> Items:
    return [{"role": "assistant", "content": [{"text": text}]}]


def _converse(items: Items) -> JSON:
    *before, last = items
    return {
        "messages": [*before, {**last, "content": [*last["content"], _POINT]}],
        "system": [{"text": prose("converse system", 1500)}, _POINT],
        "toolConfig": {"tools": [*_CONVERSE_TOOLS, _POINT]},
        "inferenceConfig": {"maxTokens": 4000},
    }


# --- the table ---

_CHAT_PATH = "/v1/chat/completions"
_CHAT_ITEMS: dict[str, Any] = {"call": _chat_call, "result": _chat_result, "answer": _chat_answer}
_CLAUDE_ITEMS: dict[str, Any] = {"call": _claude_call, "result": _claude_result, "answer": _claude_answer}

CLIENTS: Mapping[str, Client] = {
    client.id: client
    for client in (
        _claude_client("claude-code", "/v1/messages", "claude"),
        _claude_client("claude-code, relayed", "/anthropic/v1/messages", "claude-sonnet-4-5"),
        Client(
            "four marks", "/v1/messages", person=_plain_claude_person, body=_four_marks,
            headers={"user-agent": "Anthropic/JS 0.90.0"}, **_CLAUDE_ITEMS,
        ),
        Client(
            "codex", "/v1/responses", person=_codex_person, call=_codex_call, result=_codex_result,
            answer=_codex_answer, body=_codex,
            resumed=[_codex_item("developer", prose("codex permissions", 100)), _codex_item("user", _RESUMED)],
            headers={
                "user-agent": "codex_exec/0.169.0", "originator": "codex_exec", "session-id": SESSION,
                "x-codex-turn-metadata": json.dumps(_CODEX_METADATA),
            },
            first_headers={"x-codex-turn-metadata": json.dumps(_CODEX_FIRST)},
        ),
        Client(
            "opencode", _CHAT_PATH, person=_quoted_person, title=_opencode_title, **_CHAT_ITEMS,
            body=lambda items: _chat(items, system=_OPENCODE_SYSTEM, tools=_CHAT_TOOLS, stream=True),
            headers={"user-agent": "opencode/1.18.33", "x-session-id": SESSION, "x-session-affinity": SESSION},
        ),
        Client(
            "gemini-cli", "/v1beta/models/gemini:streamGenerateContent", person=_gemini_person, call=_gemini_call,
            result=_gemini_result, answer=_gemini_answer, body=_gemini, query={"alt": "sse"},
            headers={"user-agent": "GeminiCLI/0.61.0/gemini-2.5-pro"},
        ),
        Client(
            "chat with tools", _CHAT_PATH, person=_chat_person, **_CHAT_ITEMS,
            body=lambda items: _chat(items, system=prose("agent system", 1500), tools=_CHAT_TOOLS),
        ),
        Client(
            "plain chat", _CHAT_PATH, person=_chat_person, tools=False, **_CHAT_ITEMS,
            body=lambda items: _chat(items, system=prose("chat system", 1500)),
        ),
        Client(
            "chat to claude", _CHAT_PATH, person=_plain_claude_person, tools=False, **_CLAUDE_ITEMS, body=_marked_chat
        ),
        Client(
            "bedrock converse", "/bedrock/model/bedrock-claude/converse", person=_converse_person,
            call=_converse_call, result=_converse_result, answer=_converse_answer, body=_converse,
        ),
    )
}  # fmt: skip
"""Every client by its id."""
