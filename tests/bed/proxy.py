"""LiteLLM's own proxy as a process, started by its own command, with all its models at the loopback provider."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import httpx
import yaml

from bed.nest import NEST, Running, start_litellm

JSON: TypeAlias = dict[str, Any]

CHECKOUT = Path(__file__).resolve().parents[2]
SLOWEST_START = 180.0
"""Seconds that a proxy may take until it answers; eight is usual, a busy machine needs many times that."""
LONGEST_STOP = 30.0

AZURE_API_VERSION = "2024-10-21"
STARTUP_HOOKS = "LITELLM_WORKER_STARTUP_HOOKS"
VERTEX_HOOK = "bed.inside:turn_vertex_to_the_provider"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key of their own, for a proxy that authenticates by ``custom_auth``."""

    user: str
    team: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    role: str = "internal_user"
    """`proxy_admin` for somebody who runs LiteLLM."""
    key: str = field(default_factory=lambda: f"sk-{secrets.token_hex(16)}")
    verified: Mapping[str, Any] = field(default_factory=dict)
    """What LiteLLM verified besides, by the names of ``UserAPIKeyAuth``."""


def models_at(provider: str) -> list[JSON]:
    """One model of each provider, all of them at the address ``provider``."""

    def model(name: str, model: str, **parameters: Any) -> JSON:
        return {"model_name": name, "litellm_params": {"model": model, "api_key": "sk-provider", **parameters}}

    aws = {
        "aws_access_key_id": "AKIABED",
        "aws_secret_access_key": "secret",
        "aws_region_name": "us-east-1",
        "aws_bedrock_runtime_endpoint": provider,
    }
    claude = "anthropic.claude-3-5-sonnet-20240620-v1:0"
    return [
        model("gpt", "openai/gpt-4o-mini", api_base=f"{provider}/v1"),
        model("gpt-instruct", "text-completion-openai/gpt-3.5-turbo-instruct", api_base=f"{provider}/v1"),
        model("claude", "anthropic/claude-sonnet-4-5", api_base=provider),
        model("gemini", "gemini/gemini-2.0-flash", api_base=f"{provider}/v1beta"),
        model("azure-gpt", "azure/gpt-4o-mini", api_base=provider, api_version=AZURE_API_VERSION),
        {"model_name": "bedrock-claude", "litellm_params": {"model": f"bedrock/{claude}", **aws}},
        {"model_name": "bedrock-converse", "litellm_params": {"model": f"bedrock/converse/{claude}", **aws}},
        {"model_name": "bedrock-invoke", "litellm_params": {"model": f"bedrock/invoke/{claude}", **aws}},
        model("ollama-llama", "ollama_chat/llama3", api_base=provider),
        model("embedder", "openai/text-embedding-3-small", api_base=f"{provider}/v1"),
        model("moderator", "openai/omni-moderation-latest", api_base=f"{provider}/v1"),
    ]


def passthrough_environment(provider: str) -> dict[str, str]:
    """What LiteLLM's pass-through routes read from the environment; OpenAI's base is used as it is, so without /v1."""
    return {
        "ANTHROPIC_API_BASE": provider,
        "ANTHROPIC_API_KEY": "sk-provider",
        "OPENAI_API_BASE": provider,
        "OPENAI_API_KEY": "sk-provider",
        "GEMINI_API_BASE": provider,
        "GEMINI_API_KEY": "sk-provider",
        "AZURE_API_BASE": provider,
        "AZURE_API_KEY": "sk-provider",
        "AWS_ACCESS_KEY_ID": "AKIABED",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION_NAME": "us-east-1",
        "AWS_BEDROCK_RUNTIME_ENDPOINT": provider,
    }


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Proxy:
    """One LiteLLM proxy; a context manager that starts and stops it. After ``stop`` or ``kill`` it can start again.

    ``memory`` is the ``litellm_memory:`` section, or None for LiteLLM without the plugin. ``people`` switches
    ``custom_auth`` on; else there is the master key alone. ``config`` is laid over the generated config file,
    sections merged; ``models`` replaces the usual list. ``workers`` above 1 runs gunicorn.
    """

    def __init__(
        self,
        directory: Path,
        provider: str,
        *,
        memory: Mapping[str, Any] | None = None,
        people: Sequence[Person] = (),
        config: Mapping[str, Any] | None = None,
        models: Sequence[JSON] | None = None,
        environment: Mapping[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        self.directory = directory
        self.master_key = f"sk-{secrets.token_hex(16)}"
        self.port = free_port()
        self.sidecar_port = free_port()
        self._workers = workers
        self._environment = self._make_environment(provider, environment or {})
        self._process: Running | None = None
        directory.mkdir(parents=True, exist_ok=True)
        if people:
            self._write_people(people)
        self.write_config(_merged(self._make_config(provider, memory, models, custom_auth=bool(people)), config or {}))

    # --- its files ---

    @property
    def config_path(self) -> Path:
        """The config file that LiteLLM is started with."""
        return self.directory / "config.yaml"

    @property
    def log(self) -> str:
        """What the process wrote so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace") if self._log_path.exists() else ""

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace the config file; LiteLLM itself reads it at the next start."""
        self.config = dict(config)
        written = self.directory / "config.yaml.new"
        written.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        written.replace(self.config_path)

    @property
    def _log_path(self) -> Path:
        return self.directory / "proxy.log"

    @property
    def _people_path(self) -> Path:
        return self.directory / "people.json"

    def _write_people(self, people: Sequence[Person]) -> None:
        known = {
            person.key: {
                "user_id": person.user,
                "team_id": person.team,
                "metadata": dict(person.metadata),
                "user_role": person.role,
                **person.verified,
            }
            for person in people
        }
        self._people_path.write_text(json.dumps(known), encoding="utf-8")

    def _make_config(
        self, provider: str, memory: Mapping[str, Any] | None, models: Sequence[JSON] | None, *, custom_auth: bool
    ) -> JSON:
        config: JSON = {
            "model_list": list(models) if models is not None else models_at(provider),
            "litellm_settings": {},
            "router_settings": {"num_retries": 0},
            "general_settings": {
                "master_key": self.master_key,
                "pass_through_endpoints": [
                    {
                        "path": "/custom",
                        "target": f"{provider}/custom",
                        "include_subpath": True,
                        "forward_headers": True,
                        "auth": True,
                    }
                ],
            },
        }
        if custom_auth:
            config["general_settings"]["custom_auth"] = "bed.inside.authenticate"
        if memory is not None:
            sidecar = {"port": self.sidecar_port}
            config["litellm_settings"]["callbacks"] = ["litellm_memory.handler"]
            # Neither a busy machine nor a missing embedding model may decide what a test sees.
            recall = {"deadline_ms": 5000, "min_score": 0}
            embedding = {"timeout_ms": 3000}
            # What a text means is read by a model of its own, which takes two seconds to load in each keeper.
            learn = {"meaning": False}
            usual = {"data_dir": "memory", "recall": recall, "embedding": embedding, "sidecar": sidecar, "learn": learn}
            config["litellm_memory"] = _merged(usual, memory)
        return config

    def _make_environment(self, provider: str, extra: Mapping[str, str]) -> dict[str, str]:
        kept = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
        # Workers that one process forks start their keeper as users' do.
        kept = (*kept, NEST) if self._workers == 1 else kept
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **passthrough_environment(provider),
            "BED_PROVIDER": provider,
            "BED_PEOPLE": str(self._people_path),
            "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests"))),
            STARTUP_HOOKS: VERTEX_HOOK,
            # Without it an offline start waits for three attempts to fetch a price list.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "NO_PROXY": "*",
            # LiteLLM's gunicorn forks workers while a thread of it may import `encodings.ascii`. A worker that was
            # forked just then waits for that import for ever, at the first look for the name of the time zone.
            "TZ": "UTC",
            **extra,
        }

    # --- its process ---

    def __enter__(self) -> Proxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of LiteLLM's command; with several workers, of their parent."""
        return self._running.pid

    def start(self) -> None:
        """Start it and return when it answers. RuntimeError with the end of its log if it ends or never answers."""
        self.launch()
        self.wait_until_live()

    def launch(self) -> None:
        """Start the process without waiting for it to answer."""
        arguments = ["--config", str(self.config_path), "--host", "127.0.0.1", "--port", str(self.port)]
        if self._workers > 1:
            arguments += ["--run_gunicorn", "--num_workers", str(self._workers)]
        self._process = start_litellm(
            arguments, directory=self.directory, environment=self._environment, log=self._log_path
        )

    def wait_until_live(self) -> None:
        """Return when LiteLLM answers; RuntimeError with the end of its log if it ends first or never does."""
        deadline = time.monotonic() + SLOWEST_START
        with self.client() as client:
            while time.monotonic() < deadline:
                if self.wait_for_exit(within=0.2) is not None:
                    raise RuntimeError(f"the proxy ended at start-up:\n{self.log[-4000:]}")
                if _is_live(client):
                    return
        self.kill()
        raise RuntimeError(f"the proxy did not answer within {SLOWEST_START:.0f} s:\n{self.log[-4000:]}")

    def wait_for_exit(self, *, within: float) -> int | None:
        """The exit code, or None when it still runs after so many seconds."""
        try:
            return self._running.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """SIGTERM, then wait for the end; what has not ended after half a minute is killed and fails the test."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        code = self.wait_for_exit(within=LONGEST_STOP)
        self.kill()
        if code is None:
            raise RuntimeError(f"the proxy ignored SIGTERM for {LONGEST_STOP:.0f} s:\n{self.log[-4000:]}")

    def kill(self) -> None:
        """SIGKILL for the process and its workers, and wait for the end. Does nothing when it does not run."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @property
    def _running(self) -> Running:
        if self._process is None:
            raise RuntimeError("the proxy is not started")
        return self._process

    # --- talking to it ---

    @property
    def url(self) -> str:
        """LiteLLM's own address, with no path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sidecar_url(self) -> str:
        """The sidecar's address, with no path."""
        return f"http://127.0.0.1:{self.sidecar_port}"

    def client(self, key: str | None = None) -> httpx.Client:
        """A client of LiteLLM with ``key``, or the master key, as bearer. The caller closes it."""
        return self._client(self.url, key)

    def sidecar(self, key: str | None = None) -> httpx.Client:
        """A client of the sidecar with ``key``, or the master key, as bearer. The caller closes it."""
        return self._client(self.sidecar_url, key)

    def _client(self, url: str, key: str | None) -> httpx.Client:
        bearer = {"authorization": f"Bearer {key or self.master_key}"}
        # To verify nobody saves 40 ms for the certificates of all authorities, which are nobody's on loopback.
        return httpx.Client(base_url=url, headers=bearer, timeout=60, trust_env=False, verify=False)


def _is_live(client: httpx.Client) -> bool:
    try:
        return client.get("/health/liveliness", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> JSON:
    """``under`` with ``over`` laid on it: mappings merge, everything else is replaced."""
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping):
            merged[key] = _merged(under[key], over[key])
    return merged
