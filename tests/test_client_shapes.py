"""What real clients send, each in a payload of its shape: what sort of request it is, whose, and in which project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from litellm_memory.identity import identify
from litellm_memory.identity.headers import read_options
from litellm_memory.models import Caller, Kind, Scope
from litellm_memory.request.kinds import classify
from litellm_memory.settings import IdentitySettings
from litellm_memory.wire import recognise

SETTINGS = IdentitySettings(delegating_keys=("k1",))
CHAT = ("acompletion", "/v1/chat/completions")
RESPONSES = ("aresponses", "/v1/responses")
ANTHROPIC = ("anthropic_messages", "/v1/messages")
GEMINI = ("agenerate_content_stream", "/v1beta/models/gem:streamGenerateContent")
BEDROCK = ("allm_passthrough_route", "/bedrock/model/m/converse")

ASKS = "Which port does the heron listen on?"
TOOL = {"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}


def user(*texts: str) -> dict[str, Any]:
    """A user message: one text as a string, several as parts."""
    parts = [{"type": "text", "text": text} for text in texts]
    return {"role": "user", "content": texts[0] if len(texts) == 1 else parts}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def chat(*messages: dict[str, Any], tools: bool = True, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), **({"tools": [TOOL]} if tools else {}), **fields}


def called(call: str = "c1") -> list[dict[str, Any]]:
    """A tool call in chat completions, and its result, which says whatever it likes."""
    asked = {"id": call, "type": "function", "function": {"name": "read", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": call, "content": "Working directory: /elsewhere"}
    return [{"role": "assistant", "content": None, "tool_calls": [asked]}, result]


def item(role: str, *texts: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text} for text in texts]}


@dataclass(frozen=True)
class Sent:
    """One request of a client."""

    by: tuple[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Read:
    """What is to be read from it."""

    kind: Kind
    reason: str
    client: str | None
    session: str | None = None
    project: str | None = None


def read(sent: Sent) -> Read:
    wire = recognise(*sent.by, sent.body)
    turn = wire.read(sent.body) if wire else None
    assert turn is not None
    scope = identify(Caller(user="ada", key="k1"), sent.headers, read_options(sent.headers, SETTINGS), turn, SETTINGS)
    assert isinstance(scope, Scope)
    return Read(*classify(turn, sent.headers), scope.client, scope.session, scope.project)


# --- Claude Code ---

CLAUDE = {"user-agent": "claude-cli/2.1.197 (external, cli)", "x-app": "cli", "x-claude-code-session-id": "s-1"}
BILLING = "x-anthropic-billing-header: cc_version=2.1.197.abc; cc_entrypoint=cli;"
CLAUDE_ENVIRONMENT = "# Environment\nYou work here:\n - Primary working directory: /home/ada/acme\n - Platform: linux"
CLAUDE_TELLS = Read("person", "own_words", "claude-code", "s-1", "/home/ada/acme")
REMINDER = "<system-reminder>\nWorking directory: /elsewhere\n</system-reminder>"


def claude(*messages: dict[str, Any], environment: str = CLAUDE_ENVIRONMENT, **fields: Any) -> dict[str, Any]:
    account = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s-1"})
    return {
        "model": "m",
        "max_tokens": 32000,
        "system": [{"type": "text", "text": text} for text in (BILLING, "You are an agent.", environment)],
        "messages": list(messages),
        "tools": [{"name": "Read", "input_schema": {"type": "object"}}],
        "metadata": {"user_id": account},
        **fields,
    }


CLAUDE_LOOP = [
    user(REMINDER, ASKS),
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "Primary working directory: /elsewhere"},
            {"type": "text", "text": REMINDER},
        ],
    },
]
TITLE_SCHEMA = {"format": {"type": "json_schema", "schema": {"properties": {"title": {"type": "string"}}}}}

CLAUDE_CODE = [
    pytest.param(Sent(ANTHROPIC, CLAUDE, claude(user(REMINDER, ASKS))), CLAUDE_TELLS, id="claude code"),
    pytest.param(
        Sent(ANTHROPIC, CLAUDE, claude(user(REMINDER, ASKS), system("Agent types: none."))),
        CLAUDE_TELLS,
        id="claude code, a system message behind",
    ),
    pytest.param(
        Sent(ANTHROPIC, CLAUDE, claude(user(REMINDER, ASKS), system(CLAUDE_ENVIRONMENT), environment="Be brief.")),
        CLAUDE_TELLS,
        id="claude code, its environment in a system message behind",
    ),
    pytest.param(
        Sent(ANTHROPIC, CLAUDE, claude(*CLAUDE_LOOP)),
        Read("continuation", "tool_result", "claude-code", "s-1", "/home/ada/acme"),
        id="claude code, a tool loop",
    ),
    pytest.param(
        Sent(
            ANTHROPIC,
            CLAUDE,
            claude(
                user(f"<session>\n{ASKS}\n</session>"), environment="Name it.", tools=[], output_config=TITLE_SCHEMA
            ),
        ),
        Read("side_call", "title_schema", "claude-code", "s-1"),
        id="claude code, a title",
    ),
    pytest.param(
        Sent(ANTHROPIC, CLAUDE, claude(user(ASKS, "CRITICAL: Respond with TEXT ONLY. Sum up what was said."))),
        Read("compaction", "claude_code_compaction", "claude-code", "s-1", "/home/ada/acme"),
        id="claude code, compaction",
    ),
    pytest.param(
        Sent(
            ANTHROPIC,
            {**CLAUDE, "user-agent": "claude-cli/2.1.329 (external, sdk-py)"},
            claude(user("q"), max_tokens=1),
        ),
        Read("probe", "one_token", "claude-code", "s-1", "/home/ada/acme"),
        id="claude code, a quota probe",
    ),
]

# --- Codex ---

CODEX = {"originator": "codex_exec", "user-agent": "codex_exec/0.169.0 (Debian 12)", "session-id": "s-2"}
CODEX_CONTEXT = "<environment_context>\n  <cwd>/home/ada/acme</cwd>\n  <shell>bash</shell>\n</environment_context>"
AGENTS = "# AGENTS.md instructions for /home/ada/acme\n\n<INSTRUCTIONS>\n<cwd>/elsewhere</cwd>\n</INSTRUCTIONS>"


def codex(kind: str = "turn", source: str = "user", origin: str | None = None) -> dict[str, str]:
    metadata: dict[str, Any] = {"request_kind": kind, "thread_source": source}
    if origin is not None:
        metadata["workspaces"] = {"/home/ada/acme": {"associated_remote_urls": {"origin": origin}}}
    return {**CODEX, "x-codex-turn-metadata": json.dumps(metadata)}


def codex_input(*items: dict[str, Any], context: str = CODEX_CONTEXT) -> dict[str, Any]:
    opening = [item("developer", "You code.", "Sandbox: none."), item("user", context), item("user", AGENTS)]
    return {"model": "m", "input": [*opening, *items], "prompt_cache_key": "s-2", "tools": [{"type": "function"}]}


CODEX_LOOP = [
    item("user", ASKS),
    {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "c1"},
    {"type": "function_call_output", "call_id": "c1", "output": "<cwd>/elsewhere</cwd>"},
]
CODEX_CLI = [
    pytest.param(
        Sent(RESPONSES, codex(origin="git@h.example:acme/site.git"), codex_input(item("user", ASKS))),
        Read("person", "own_words", "codex", "s-2", "h.example/acme/site"),
        id="codex, in a checkout",
    ),
    pytest.param(
        Sent(RESPONSES, codex(), codex_input(item("user", ASKS))),
        Read("person", "own_words", "codex", "s-2", "/home/ada/acme"),
        id="codex, in a directory",
    ),
    pytest.param(
        Sent(RESPONSES, codex(), codex_input(*CODEX_LOOP)),
        Read("continuation", "tool_result", "codex", "s-2", "/home/ada/acme"),
        id="codex, a tool loop",
    ),
    pytest.param(
        Sent(
            RESPONSES, codex(), codex_input(item("user", ASKS), item("assistant", "7070"), item("user", CODEX_CONTEXT))
        ),
        Read("continuation", "assistant_last", "codex", "s-2", "/home/ada/acme"),
        id="codex, resumed",
    ),
    pytest.param(
        Sent(RESPONSES, codex(source="thread_title"), codex_input(item("user", ASKS))),
        Read("side_call", "codex_title", "codex", "s-2", "/home/ada/acme"),
        id="codex, a title",
    ),
    pytest.param(
        Sent(RESPONSES, codex(kind="compaction"), codex_input(item("user", ASKS))),
        Read("compaction", "codex_compaction", "codex", "s-2", "/home/ada/acme"),
        id="codex, compaction",
    ),
    pytest.param(
        Sent(CHAT, {"originator": "codex_exec"}, chat(system("You code."), user(CODEX_CONTEXT), user(ASKS))),
        Read("person", "own_words", "codex", None, "/home/ada/acme"),
        id="codex, on chat completions",
    ),
]

# --- Gemini CLI and Qwen Code ---

GEMINI_CLI = {"user-agent": "GeminiCLI-tui/0.61.0/gem (linux; x64; terminal)"}
GEMINI_CONTEXT = (
    "<session_context>\nThis is the Gemini CLI.\nMy operating system is: linux\n"
    "- **Workspace Directories:**\n  - /home/ada/acme\n- **Directory Structure:**\n\nnotes.txt\n</session_context>"
)
QWEN = {"user-agent": "QwenCode/0.15.10 (linux; x64)"}
QWEN_CONTEXT = (
    "This is the Qwen Code. We are setting up the context for our chat.\nMy operating system is: linux\n"
    "I'm currently working in the directory: /home/ada/acme\nHere is the folder structure:\n"
)
QWEN_OPENING = [system("You code."), user(QWEN_CONTEXT), {"role": "assistant", "content": "Got it."}]


def gemini(*contents: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "contents": [{"role": role, "parts": parts} for role, parts in contents],
        "systemInstruction": {"role": "user", "parts": [{"text": "You are an agent."}]},
        "tools": [{"functionDeclarations": [{"name": "read"}]}],
    }


GEMINI_ASKS = ("user", [{"text": GEMINI_CONTEXT}, {"text": ASKS}])
GEMINI_LOOP = [
    ("model", [{"functionCall": {"name": "read", "args": {}}}]),
    ("user", [{"functionResponse": {"name": "read", "response": {"output": "<session_context>"}}}]),
]
GOOGLE = [
    pytest.param(
        Sent(GEMINI, GEMINI_CLI, gemini(GEMINI_ASKS)),
        Read("person", "own_words", "gemini-cli", None, "/home/ada/acme"),
        id="gemini cli",
    ),
    pytest.param(
        Sent(GEMINI, GEMINI_CLI, gemini(GEMINI_ASKS, *GEMINI_LOOP)),
        Read("continuation", "tool_result", "gemini-cli", None, "/home/ada/acme"),
        id="gemini cli, a tool loop",
    ),
    pytest.param(
        Sent(CHAT, QWEN, chat(*QWEN_OPENING, user(ASKS))),
        Read("person", "own_words", "qwen-code", None, "/home/ada/acme"),
        id="qwen code",
    ),
    pytest.param(
        Sent(
            CHAT,
            QWEN,
            chat(system("You are now acting as the managed memory extraction subagent."), user(ASKS), tools=False),
        ),
        Read("subagent", "qwen_memory", "qwen-code"),
        id="qwen code, its own memory",
    ),
]

# --- opencode and Kilo ---

OPENCODE = {"user-agent": "opencode/1.18.33 ai-sdk/x", "x-session-id": "ses_1", "x-session-affinity": "ses_1"}
OPENCODE_SYSTEM = (
    "You are OpenCode.\n<env>\n  Working directory: /home/ada/acme/docs\n  Workspace root folder: /home/ada/acme\n"
    "  Is directory a git repo: yes\n</env>\nInstructions from: AGENTS.md\nWorkspace root folder: /elsewhere"
)
OPENCODE_TELLS = Read("person", "own_words", "opencode", "ses_1", "/home/ada/acme")
OPENCODE_TITLES = Read("side_call", "opencode_title", "opencode", "ses_1")
TITLES = "You are a title generator. Say nothing else."
QUOTED = f'"{ASKS}"'
KILO = {"user-agent": "Kilo-Code/7.7.7", "x-title": "Kilo Code", "x-session-id": "s-3"}
KILO_DETAILS = (
    "<environment_details>\nWorking directory: /home/ada/acme\nWorkspace root folder: /\n</environment_details>"
)
OPENCODE_LIKE = [
    pytest.param(
        Sent(CHAT, OPENCODE, chat(system(OPENCODE_SYSTEM), user(QUOTED))), OPENCODE_TELLS, id="opencode, chat"
    ),
    pytest.param(
        Sent(ANTHROPIC, OPENCODE, chat(user(QUOTED), system=[{"type": "text", "text": OPENCODE_SYSTEM}])),
        OPENCODE_TELLS,
        id="opencode, anthropic",
    ),
    pytest.param(
        Sent(RESPONSES, OPENCODE, {"model": "m", "input": [system(OPENCODE_SYSTEM), item("user", QUOTED)]}),
        OPENCODE_TELLS,
        id="opencode, responses",
    ),
    pytest.param(
        Sent(CHAT, OPENCODE, chat(system(OPENCODE_SYSTEM), user(QUOTED), *called())),
        Read("continuation", "tool_result", "opencode", "ses_1", "/home/ada/acme"),
        id="opencode, a tool loop",
    ),
    pytest.param(
        Sent(CHAT, OPENCODE, chat(system(TITLES), user(QUOTED), tools=False)), OPENCODE_TITLES, id="opencode, a title"
    ),
    pytest.param(
        Sent(CHAT, KILO, chat(system("You code."), user(QUOTED, KILO_DETAILS))),
        Read("person", "own_words", "kilo-code", "s-3", "/home/ada/acme"),
        id="kilo",
    ),
    pytest.param(
        Sent(CHAT, KILO, chat(system("You code."), user(QUOTED, KILO_DETAILS), *called())),
        Read("continuation", "tool_result", "kilo-code", "s-3", "/home/ada/acme"),
        id="kilo, a tool loop",
    ),
]

# --- clients that send only a library's name ---

OPENAI_JS = {"user-agent": "OpenAI/JS 5.23.2"}
OPENAI_PYTHON = {"user-agent": "OpenAI/Python 2.54.0"}
COPILOT_SYSTEM = (
    "You are the GitHub Copilot CLI.\n<environment_context>\n* Current working directory: /home/ada/acme/docs\n"
    "* Git repository root: /home/ada/acme\n* Operating System: Linux\n</environment_context>\n"
)
COPILOT_ASKS = f"<current_datetime>2026-11-21</current_datetime>\n\n{ASKS}"
GPTME = [system("You are gptme v0.35."), system("Tools."), system("## System\n**Working Directory:** /home/ada/acme")]
AIDER_RULES = "\n\n# *SEARCH/REPLACE block* Rules:\n\nEvery block must name a file."
BY_SYSTEM_TEXT = [
    pytest.param(
        Sent(CHAT, {**OPENAI_JS, "x-initiator": "user"}, chat(system(COPILOT_SYSTEM), user(COPILOT_ASKS))),
        Read("person", "own_words", "copilot-cli", None, "/home/ada/acme"),
        id="copilot cli",
    ),
    pytest.param(
        Sent(CHAT, {**OPENAI_JS, "x-initiator": "agent"}, chat(system(COPILOT_SYSTEM), user(COPILOT_ASKS), *called())),
        Read("continuation", "copilot_agent", "copilot-cli", None, "/home/ada/acme"),
        id="copilot cli, a tool loop",
    ),
    pytest.param(
        Sent(
            CHAT,
            {"user-agent": "ai-sdk/openai-compatible/1.0"},
            chat(system("You are Cline, an agent.\nWorking Directory: /home/ada/acme\nHome: /home/ada"), user(ASKS)),
        ),
        Read("person", "own_words", "cline", None, "/home/ada/acme"),
        id="cline",
    ),
    pytest.param(
        Sent(
            CHAT,
            {"user-agent": "ls/JS 5.23.2"},
            chat(system("You are an agent in the Continue CLI.\n<env>\nWorking directory: /home/ada/acme"), user(ASKS)),
        ),
        Read("person", "own_words", "continue", None, "/home/ada/acme"),
        id="continue",
    ),
    pytest.param(
        Sent(
            CHAT,
            OPENAI_JS,
            chat(
                system(
                    "You help, operating inside pi, a coding agent harness.\n# AGENTS.md\n"
                    "Current working directory: /elsewhere\n\nCurrent working directory: /home/ada/acme"
                ),
                user(ASKS),
            ),
        ),
        Read("person", "own_words", "pi", None, "/home/ada/acme"),
        id="pi",
    ),
    pytest.param(
        Sent(
            CHAT,
            OPENAI_JS,
            chat(
                system("<!-- a -->\nYou are a personal assistant running inside OpenClaw."),
                user(f"[Sat 2026-11-21 10:48 UTC] {ASKS}"),
            ),
        ),
        Read("person", "own_words", "openclaw"),
        id="openclaw",
    ),
    pytest.param(
        Sent(CHAT, OPENAI_PYTHON, chat(*GPTME, user(ASKS), tools=False)),
        Read("person", "own_words", "gptme", None, "/home/ada/acme"),
        id="gptme",
    ),
    pytest.param(
        Sent(
            CHAT,
            OPENAI_PYTHON,
            chat(
                *GPTME,
                user(ASKS),
                {"role": "assistant", "content": "7070."},
                user("<system>No tool was used. Are you done?</system>"),
                tools=False,
            ),
        ),
        Read("continuation", "assistant_last", "gptme", None, "/home/ada/acme"),
        id="gptme, a nudge",
    ),
    pytest.param(
        Sent(CHAT, OPENAI_PYTHON, chat(system("Generate concise conversation titles."), user(ASKS), tools=False)),
        Read("side_call", "gptme_title", "openai-python"),
        id="gptme, a title",
    ),
    pytest.param(
        Sent(
            CHAT,
            OPENAI_PYTHON,
            chat(
                system("Act as an expert software developer."),
                user("Change the greeting to be more casual"),
                {"role": "assistant", "content": "Ok."},
                user(ASKS + AIDER_RULES),
                tools=False,
            ),
        ),
        Read("person", "own_words", "aider"),
        id="aider",
    ),
    pytest.param(
        Sent(CHAT, OPENAI_PYTHON, chat(system("You are ShellGPT\nBe brief."), user(ASKS), tools=False)),
        Read("person", "own_words", "shell-gpt"),
        id="shell-gpt",
    ),
    pytest.param(
        Sent(CHAT, OPENAI_PYTHON, chat(system("You are Open Interpreter."), user(ASKS), tools=False)),
        Read("person", "own_words", "open-interpreter"),
        id="open interpreter",
    ),
]

# --- clients known by a header of their own ---

WEBUI = {"user-agent": "Python/3.11 aiohttp/3.14.5", "x-openwebui-user-id": "u-9", "x-openwebui-chat-id": "chat-1"}
VIBE = {"user-agent": "python-httpx/0.28.1", "x-affinity": "run-1"}
BY_HEADER = [
    pytest.param(
        Sent(CHAT, WEBUI, chat(user(ASKS), tools=False)),
        Read("person", "own_words", "open-webui", "chat-1"),
        id="open webui",
    ),
    *(
        pytest.param(
            Sent(CHAT, WEBUI, chat(user(f"### Task:\n{task} of the chat.\n<chat>{ASKS}</chat>"), tools=False)),
            Read("side_call", "open_webui_task", "open-webui", "chat-1"),
            id=f"open webui, {task}",
        )
        for task in ("Write a title", "Choose tags", "Think of follow-ups")
    ),
    pytest.param(
        Sent(CHAT, VIBE, chat(system("You are Vibe.\nAbsolute path: /home/ada/acme\n\nREADME"), user(ASKS))),
        Read("person", "own_words", "mistral-vibe", "run-1", "/home/ada/acme"),
        id="mistral vibe",
    ),
    pytest.param(
        Sent(
            CHAT,
            {**OPENAI_PYTHON, "x-title": "OpenHands", "x-litellm-session-id": "oh-1"},
            chat(system("You are OpenHands."), user(ASKS), prompt_cache_key="oh-1"),
        ),
        Read("person", "own_words", "openhands", "oh-1"),
        id="openhands",
    ),
    pytest.param(
        Sent(
            CHAT,
            {"user-agent": "RooCode/3.9"},
            chat(system("Home Directory: /home/ada\nCurrent Workspace Directory: /home/ada/acme\n"), user(ASKS)),
        ),
        Read("person", "own_words", "roo-code", None, "/home/ada/acme"),
        id="roo code",
    ),
    *(
        pytest.param(
            Sent(CHAT, headers, chat(user(ASKS), tools=False)),
            Read("person", "own_words", client, session),
            id=client,
        )
        for headers, client, session in [
            ({"user-agent": "Cursor/1.0"}, "cursor", None),
            ({"user-agent": "Zed/0.200 (linux; x64)"}, "zed", None),
            ({"user-agent": "Xcode/24577 CFNetwork/1 Darwin/1"}, "xcode", None),
            ({"user-agent": "GitHubCopilotChat/0.30", "x-initiator": "user"}, "copilot-chat", None),
            ({"user-agent": "Junie:SNAPSHOT"}, "junie", None),
            ({"user-agent": "AnythingLLM/1.9"}, "anythingllm", None),
            ({"x-title": "Cherry Studio"}, "cherry-studio", None),
            ({"user-agent": "OpenAIClientImpl/Java 4.0"}, "jvm-openai", None),
            ({**OPENAI_JS, "x-conversation-id": "conv-1"}, "openai-js", "conv-1"),
        ]
    ),
]

# --- libraries ---

CONVERSE = {"messages": [{"role": "user", "content": [{"text": ASKS}]}]}
GENERATE = {"contents": [{"parts": [{"text": ASKS}], "role": "user"}]}
LIBRARIES = [
    pytest.param(Sent(by, {"user-agent": agent}, body), Read("person", "own_words", client), id=f"{client}, {by[1]}")
    for by, agent, body, client in [
        (CHAT, "OpenAI/Python 2.54.0", chat(user(ASKS), tools=False), "openai-python"),
        (CHAT, "AsyncOpenAI/Python 2.54.0", chat(user(ASKS), user="end-user"), "openai-python"),
        (RESPONSES, "OpenAI/Python 2.54.0", {"model": "m", "input": ASKS}, "openai-python"),
        (RESPONSES, "OpenAI/JS 7.57.0", {"model": "m", "input": [user(ASKS)]}, "openai-js"),
        (
            ("acompletion", "/openai/deployments/m/chat/completions"),
            "AzureOpenAI/Python 2.54.0",
            chat(user(ASKS), tools=False),
            "openai-python",
        ),
        (ANTHROPIC, "Anthropic/Python 2.11.0", chat(user(ASKS), tools=False, max_tokens=64), "anthropic-python"),
        (ANTHROPIC, "Anthropic/JS 1.12.0", chat(user(ASKS), tools=False, max_tokens=64), "anthropic-js"),
        (GEMINI, "google-genai-sdk/2.34.0 gl-python/3.11", GENERATE, "google-genai"),
        (("agenerate_content", "/v1beta/models/gem:generateContent"), "google-adk/2.13.0", GENERATE, "google-adk"),
        (
            ("pass_through_endpoint", "/gemini/v1beta/models/gem:generateContent"),
            "google-genai-sdk/2.34.0",
            GENERATE,
            "google-genai",
        ),
        (BEDROCK, "Boto3/1.44.5 md/Botocore", CONVERSE, "boto3"),
        (CHAT, "ai/6.0.326 ai-sdk/provider", chat(user(ASKS), tools=False), "ai-sdk"),
        (RESPONSES, "Agents/Python 0.24.0", {"model": "m", "input": [item("user", ASKS)]}, "openai-agents"),
        (CHAT, "pydantic-ai/2.68.0", chat(user(ASKS), tools=False), "pydantic-ai"),
        (ANTHROPIC, "langchain-anthropic/1.7.7", chat(user(ASKS), tools=False), "langchain"),
        (CHAT, "lm15/stdlib", chat(system("Answer."), user(ASKS), tools=False), "dspy"),
        (CHAT, "litellm/1.106.2", chat(user(ASKS), tools=False), "litellm"),
    ]
]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [*CLAUDE_CODE, *CODEX_CLI, *GOOGLE, *OPENCODE_LIKE, *BY_SYSTEM_TEXT, *BY_HEADER, *LIBRARIES],
)
def test_what_clients_send_is_read_as_what_it_is(sent: Sent, expected: Read) -> None:
    assert read(sent) == expected
