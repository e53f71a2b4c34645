"""How each client is installed, pointed at a LiteLLM proxy and asked one thing without a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Files: TypeAlias = Mapping[str, str]
"""File contents by their path under the client's home directory."""

MODELS = ("gpt", "claude-*", "gemini-*")
"""The names that the clients ask for."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a client has to ask: LiteLLM's address with no path, and a key of it."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One client. ``command`` names a program of the package, ``{words}`` standing for what the person says."""

    id: str
    registry: Literal["npm", "pypi"]
    package: str
    command: Sequence[str]
    environment: Callable[[Door], Mapping[str, str]] = field(default=lambda door: {})
    files: Callable[[Door], Files] = field(default=lambda door: {})
    also: Sequence[str] = ()
    """Packages that it needs and does not name."""


def _claude_code(door: Door) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": door.url,
        "ANTHROPIC_AUTH_TOKEN": door.key,
        "ANTHROPIC_MODEL": "claude-sonnet-4-5",
        # Its one switch for all of this would switch the titles off too, which are to be seen.
        **dict.fromkeys(("DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING"), "1"),
    }


def _codex(door: Door) -> Files:
    config = f"""
model = "gpt"
model_provider = "litellm"
check_for_update_on_startup = false

[model_providers.litellm]
name = "LiteLLM"
base_url = "{door.url}/v1"
env_key = "LITELLM_KEY"
wire_api = "responses"

[analytics]
enabled = false
"""
    return {".codex/config.toml": config}


def _gemini(door: Door) -> dict[str, str]:
    return {
        "GOOGLE_GEMINI_BASE_URL": door.url,
        "GEMINI_API_KEY": door.key,
        "GEMINI_MODEL": "gemini-2.5-pro",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "GEMINI_TELEMETRY_ENABLED": "false",
    }


def _gemini_files(door: Door) -> Files:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    return {".gemini/settings.json": json.dumps(settings)}


def _opencode_files(door: Door) -> Files:
    config = {
        "autoupdate": False,
        "share": "disabled",
        "model": "litellm/gpt",
        "small_model": "litellm/gpt",
        "provider": {
            "litellm": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "LiteLLM",
                "options": {"baseURL": f"{door.url}/v1", "apiKey": door.key},
                "models": {"gpt": {"name": "gpt"}},
            }
        },
    }
    return {".config/opencode/opencode.json": json.dumps(config)}


def _opencode(door: Door) -> dict[str, str]:
    names = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    return {f"OPENCODE_DISABLE_{name}": "true" for name in names}


def _openai(door: Door) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": f"{door.url}/v1",
        "OPENAI_API_BASE": f"{door.url}/v1",
        "OPENAI_API_KEY": door.key,
        "OPENAI_MODEL": "gpt",
    }


def _qwen(door: Door) -> dict[str, str]:
    # It sends everything through a proxy that the environment names, what goes to loopback too.
    return {**_openai(door), **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "")}


def _qwen_files(door: Door) -> Files:
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True, "enableAutoUpdate": False},
    }
    return {".qwen/settings.json": json.dumps(settings)}


def _llm_files(door: Door) -> Files:
    models = f"- {{model_id: gpt, model_name: gpt, api_base: '{door.url}/v1', api_key_name: litellm}}\n"
    directory = ".config/io.datasette.llm"
    return {
        f"{directory}/extra-openai-models.yaml": models,
        f"{directory}/keys.json": json.dumps({"litellm": door.key}),
    }


def _shell_gpt(door: Door) -> dict[str, str]:
    return {"API_BASE_URL": f"{door.url}/v1", "OPENAI_API_KEY": door.key, "DEFAULT_MODEL": "gpt"}


def _continue_files(door: Door) -> Files:
    config = f"""
name: bench
version: 0.0.1
schema: v1
models:
  - name: gpt
    provider: openai
    model: gpt
    apiBase: {door.url}/v1
    apiKey: {door.key}
    roles: [chat]
"""
    return {".continue/config.yaml": config}


def _pi_files(door: Door) -> Files:
    provider = {
        "baseUrl": f"{door.url}/v1",
        "apiKey": door.key,
        "api": "openai-completions",
        "models": [{"id": "gpt", "name": "gpt"}],
    }
    return {".pi/agent/models.json": json.dumps({"providers": {"litellm": provider}})}


def _cline_files(door: Door) -> Files:
    state = {
        "actModeApiProvider": "openai",
        "planModeApiProvider": "openai",
        "actModeOpenAiModelId": "gpt",
        "planModeOpenAiModelId": "gpt",
        "openAiBaseUrl": f"{door.url}/v1",
        "telemetrySetting": "disabled",
        "welcomeViewCompleted": True,
    }
    secrets = {"openAiApiKey": door.key}
    return {
        ".cline/data/globalState.json": json.dumps(state),
        ".cline/data/secrets.json": json.dumps(secrets),
    }


_OPENAI_PY = """
import sys, openai
print(openai.OpenAI().chat.completions.create(model="gpt", messages=[{"role": "user", "content": sys.argv[1]}]).choices)
"""
_ANTHROPIC_PY = """
import sys, anthropic
said = [{"role": "user", "content": sys.argv[1]}]
print(anthropic.Anthropic().messages.create(model="claude-sonnet-4-5", max_tokens=300, messages=said).content)
"""
_GENAI_PY = """
import os, sys
from google import genai
options = {"base_url": os.environ["GOOGLE_GEMINI_BASE_URL"], "api_version": "v1beta"}
client = genai.Client(http_options=options)
print(client.models.generate_content(model="gemini-2.5-pro", contents=sys.argv[1]).text)
"""
_OPENAI_JS = """
const { default: OpenAI } = await import("openai");
console.log((await new OpenAI().responses.create({ model: "gpt", input: process.argv[1] })).output_text);
"""
_ANTHROPIC_JS = """
const { default: Anthropic } = await import("@anthropic-ai/sdk");
const messages = [{ role: "user", content: process.argv[1] }];
const answer = await new Anthropic().messages.create({ model: "claude-sonnet-4-5", max_tokens: 300, messages });
console.log(answer.content);
"""
_GENAI_JS = """
const { GoogleGenAI } = await import("@google/genai");
const httpOptions = { baseUrl: process.env.GOOGLE_GEMINI_BASE_URL, apiVersion: "v1beta" };
const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY, httpOptions });
console.log((await client.models.generateContent({ model: "gemini-2.5-pro", contents: process.argv[1] })).text);
"""


def _anthropic(door: Door) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": door.url, "ANTHROPIC_API_KEY": door.key}


def _genai(door: Door) -> dict[str, str]:
    return {"GOOGLE_GEMINI_BASE_URL": door.url, "GEMINI_API_KEY": door.key}


def _js(program: str) -> tuple[str, ...]:
    return ("node", "--input-type=module", "-e", program, "{words}")


RECIPES: Sequence[Recipe] = (
    Recipe("claude-code", "npm", "@anthropic-ai/claude-code", ("claude", "-p", "{words}"), _claude_code),
    Recipe(
        "codex", "npm", "@openai/codex", ("codex", "exec", "--skip-git-repo-check", "{words}"),
        lambda door: {"LITELLM_KEY": door.key}, _codex,
    ),
    Recipe("gemini-cli", "npm", "@google/gemini-cli", ("gemini", "-p", "{words}"), _gemini, _gemini_files),
    Recipe("opencode", "npm", "opencode-ai", ("opencode", "run", "{words}"), _opencode, _opencode_files),
    Recipe(
        "aider", "pypi", "aider-chat",
        (
            "aider", "--model", "openai/gpt", "--message", "{words}", "--yes-always", "--no-git", "--no-check-update",
            "--analytics-disable", "--no-show-model-warnings", "--no-gitignore", "--map-tokens", "0",
        ),
        _openai,
    ),
    Recipe("qwen-code", "npm", "@qwen-code/qwen-code", ("qwen", "-p", "{words}"), _qwen, _qwen_files),
    Recipe("llm", "pypi", "llm", ("llm", "-m", "gpt", "{words}"), files=_llm_files),
    Recipe("shell-gpt", "pypi", "shell-gpt", ("sgpt", "--no-cache", "--no-md", "{words}"), _shell_gpt, also=("click",)),
    Recipe("continue", "npm", "@continuedev/cli", ("cn", "-p", "{words}"), files=_continue_files),
    Recipe(
        "pi", "npm", "@mariozechner/pi-coding-agent",
        ("pi", "-p", "--provider", "litellm", "--model", "gpt", "{words}"), files=_pi_files,
    ),
    Recipe("cline", "npm", "cline", ("cline", "--timeout", "60", "{words}"), files=_cline_files),
    Recipe("openai (Python)", "pypi", "openai", ("python", "-c", _OPENAI_PY, "{words}"), _openai),
    Recipe("anthropic (Python)", "pypi", "anthropic", ("python", "-c", _ANTHROPIC_PY, "{words}"), _anthropic),
    Recipe("google-genai (Python)", "pypi", "google-genai", ("python", "-c", _GENAI_PY, "{words}"), _genai),
    Recipe("openai (JS)", "npm", "openai", _js(_OPENAI_JS), _openai),
    Recipe("anthropic (JS)", "npm", "@anthropic-ai/sdk", _js(_ANTHROPIC_JS), _anthropic),
    Recipe("google-genai (JS)", "npm", "@google/genai", _js(_GENAI_JS), _genai),
)  # fmt: skip
"""In the order in which each tells the next one something."""
