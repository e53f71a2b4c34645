"""One checkout is one project for every client: a path that was told with its git remote is an alias of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from litellm_memory.ledger import Ledger
from litellm_memory.ledger.paths import FRESH, Names

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SITE, SHOP = "h.example/acme/site", "h.example/acme/shop"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[Ledger]:
    opened = Ledger.open(url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def other(url: str) -> AsyncIterator[Ledger]:
    """The ledger of another worker on the same database."""
    opened = Ledger.open(url)
    yield opened
    await opened.aclose()


async def note(ledger: Ledger, path: str, remote: str, namespace: str = "ada") -> None:
    """Notes a checkout and waits until it is written."""
    ledger.paths.note(namespace, {path: remote})
    await ledger.changes.publish([])


async def test_a_path_stands_for_itself_until_its_remote_is_known(ledger: Ledger) -> None:
    assert await ledger.paths.names("ada", "/a", "/a", now=NOW) == Names("/a")
    await note(ledger, "/a", SITE)
    assert await ledger.paths.names("ada", "/a", "/a", now=NOW) == Names(SITE, frozenset({"/a"}))


async def test_every_path_of_a_remote_is_an_alias_of_it(ledger: Ledger) -> None:
    for path, remote in (("/a", SITE), ("/b", SITE), ("/c", SHOP)):
        await note(ledger, path, remote)
    expected = Names(SITE, frozenset({"/a", "/b"}))
    assert await ledger.paths.names("ada", SITE, now=NOW) == expected
    assert await ledger.paths.names("ada", SITE, "/a", now=NOW) == expected
    assert await ledger.paths.names("ada", "/b", "/b", now=NOW) == expected


async def test_a_path_told_with_its_remote_is_an_alias_before_that_is_written(ledger: Ledger) -> None:
    assert await ledger.paths.names("ada", SITE, "/a", now=NOW) == Names(SITE, frozenset({"/a"}))


async def test_a_path_seen_with_a_second_remote_stands_for_itself_for_good(ledger: Ledger, other: Ledger) -> None:
    for worker, remote in ((ledger, SITE), (other, SHOP), (ledger, SITE)):
        await note(worker, "/workspace", remote)
    for worker in (ledger, other):
        assert await worker.paths.names("ada", "/workspace", "/workspace", now=NOW) == Names("/workspace")
        assert await worker.paths.names("ada", SITE, "/workspace", now=NOW) == Names(SITE)
        assert await worker.paths.names("ada", SHOP, "/workspace", now=NOW) == Names(SHOP)


async def test_a_second_remote_is_not_joined_before_that_is_written(ledger: Ledger) -> None:
    await note(ledger, "/workspace", SITE)
    assert await ledger.paths.names("ada", SHOP, "/workspace", now=NOW) == Names(SHOP)


async def test_two_remotes_at_once_from_two_workers_join_nothing(ledger: Ledger, other: Ledger) -> None:
    ledger.paths.note("ada", {"/workspace": SITE})
    other.paths.note("ada", {"/workspace": SHOP})
    await ledger.changes.publish([])
    await other.changes.publish([])
    assert await ledger.paths.names("ada", "/workspace", "/workspace", now=NOW) == Names("/workspace")


async def test_an_alias_belongs_to_one_user(ledger: Ledger) -> None:
    await note(ledger, "/a", SITE)
    assert await ledger.paths.names("eve", "/a", "/a", now=NOW) == Names("/a")
    assert await ledger.paths.names("eve", SITE, now=NOW) == Names(SITE)


async def test_another_worker_knows_an_alias_within_seconds(ledger: Ledger, other: Ledger) -> None:
    alone = await other.paths.names("ada", "/a", "/a", now=NOW)
    await note(ledger, "/a", SITE)
    just_before, then = NOW + FRESH - timedelta(milliseconds=1), NOW + FRESH
    assert await other.paths.names("ada", "/a", "/a", now=just_before) == alone
    assert await other.paths.names("ada", "/a", "/a", now=then) == Names(SITE, frozenset({"/a"}))


async def test_aliases_survive_a_restart(url: str, ledger: Ledger) -> None:
    await note(ledger, "/a", SITE)
    await ledger.aclose()
    again = Ledger.open(url)
    assert await again.paths.names("ada", "/a", "/a", now=NOW) == Names(SITE, frozenset({"/a"}))
    await again.aclose()


async def test_what_was_noted_is_not_written_again(ledger: Ledger, other: Ledger) -> None:
    await note(ledger, "/a", SITE)
    before = await ledger.paths.names("ada", "/a", "/a", now=NOW)
    ledger.paths.note("ada", {"/a": SITE})
    assert await ledger.paths.names("ada", "/a", "/a", now=NOW) is before
