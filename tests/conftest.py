"""Fixtures that several test modules share: the loopback provider, and one running proxy for the whole session."""

from __future__ import annotations

import gc
import itertools
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from bed.ledgers import DATABASES, empty_database
from bed.memories import Memories
from bed.nest import FORKS, can_fork, fork_keepers, prepare_nests
from bed.provider import Provider
from bed.proxy import Proxy
from hypothesis import settings

from litellm_memory import meaning
from litellm_memory.ledger import Ledger

# LiteLLM fetches a price list from the network while it is imported, unless it is told to use its own copy.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

os.environ.setdefault(FORKS, "1")

# A run starts some two hundred processes, and each would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Hypothesis fails an example that takes 200 ms, which a busy machine needs for anything.
settings.register_profile("bed", deadline=None)
settings.load_profile("bed")

LONGEST_FIRST = (
    "test_failures",
    "test_restart",
    "test_cache_promises",
    "test_patterns",
    "test_isolation",
    "test_page_browser",
    "test_workers",
    "test_walks",
    "test_poison",
    "test_policies",
    "test_logs",
    "test_sidecar_pace",
    "test_command_line",
    "test_sidecar_rights",
    "test_slow_texts",
    "test_long",
    "test_redact",
    "test_breaker",
    "test_erasure",
    "test_journal",
    "test_foreign",
    "test_layers",
    "test_parity",
    "test_conformance",
    "test_durability",
    "test_learn_once",
    "test_sdks",
    "test_audit",
    "test_owner",
    "test_wiring",
    "test_litellm_facts",
    "test_remote_embedding",
    "test_http",
    "test_docs",
    "test_sidecar_fuzz",
)
"""Files by the time that they take. Begun first, they leave no worker alone with a long one at the end."""


def pytest_configure(config: pytest.Config) -> None:
    # pytest-xdist would begin with the files that have the most tests, which are quick ones.
    config.option.loadscopereorder = False
    # The workers of a run share the nests, which import while they collect.
    if can_fork() and getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        prepare_nests()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


def pytest_collection_finish() -> None:
    # What was imported and collected stays; without this the collector would look at all of it again and again.
    gc.collect()
    gc.freeze()


PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _meanings_are_read() -> None:
    """What one engine of this process was told about its encoder holds for none of the next test."""
    meaning.use(wanted=True)


@pytest.fixture(scope="session", autouse=True)
def _keepers_are_forked() -> None:
    if can_fork():
        fork_keepers()


@pytest.fixture(scope="session", autouse=True)
def _only_loopback() -> Iterator[None]:
    """No client of a test finds a proxy in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in PROXY_VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture(scope="session")
def session_provider() -> Iterator[Provider]:
    """The provider behind ``session_proxy``. A test takes ``provider``, which is the same one, reset."""
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def session_proxy(session_provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """LiteLLM with memory, started once. A test takes ``proxy``, which also shows what was logged when it fails."""
    with Proxy(tmp_path_factory.mktemp("proxy"), session_provider.url, memory={}) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def session_memories(session_proxy: Proxy) -> Iterator[Memories]:
    """The memories behind ``session_proxy``, which are ready."""
    with session_proxy.sidecar() as client:
        memories = Memories(session_proxy, client)
        memories.wait_until_ready()
        yield memories


@pytest.fixture
def provider(session_provider: Provider) -> Iterator[Provider]:
    """The loopback provider, with nothing received and nothing scripted."""
    session_provider.reset()
    yield session_provider
    session_provider.reset()


@pytest.fixture
def proxy(session_proxy: Proxy, provider: Provider) -> Iterator[Proxy]:
    """The running proxy with memory; a failed test shows what it logged meanwhile. Take ``user`` to be alone in it."""
    before = len(session_proxy.log)
    yield session_proxy
    print(session_proxy.log[before:])


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    """A client of the running proxy with the master key."""
    with proxy.client() as client:
        yield client


@pytest.fixture
def memories(session_memories: Memories, proxy: Proxy) -> Memories:
    """Memory's own API on the running proxy, with the master key."""
    return session_memories


_users = itertools.count(1)


@pytest.fixture
def user() -> str:
    """Somebody whom no other test knows; goes into the header ``x-memory-user-id``."""
    return f"person-{next(_users)}"


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind that is at hand."""
    return empty_database(request.param, tmp_path)


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    """A ledger on it."""
    opened = Ledger.open(url)
    yield opened
    await opened.aclose()
