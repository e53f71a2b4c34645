"""Words of ones own, ``learn.redact_words``: neither kept nor shown, whichever way a text comes in or goes out."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bed.engines import opened_engine

from litellm_memory.care.audit import audit
from litellm_memory.cli.inside import client_inside
from litellm_memory.engine import Engine
from litellm_memory.learn.by_model import Answer
from litellm_memory.models import Memory, Origin, namespace
from litellm_memory.settings import LearnSettings, Settings
from litellm_memory.store import memory_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = itertools.count(1)
WORD = "Bluebird"
SAID = f"The {WORD} deal closes on Friday."
KEPT = "The [REDACTED:word] deal closes on Friday."
LEARN = {"redact_words": [WORD]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened_engine(tmp_path_factory.mktemp("data"), learn=LEARN) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with client_inside(engine) as client:
        yield client


@pytest.fixture
def user() -> str:
    return f"user-{next(NUMBERS)}"


async def keep(engine: Engine, user: str, *, review: str | None = None, call: str = "call") -> Memory:
    """A memory as a version kept it that did not know the word."""
    origin = Origin("person", None, call)
    own = memory_id(namespace("default", user), str(next(NUMBERS)), key=engine.ledger.key)
    memory = Memory(own, "default", user, SAID, "fact", NOW, tags=(WORD,), origin=origin, reply=SAID, review=review)
    [kept] = await engine.memories.keep([memory])
    return kept


def says(memory: Memory) -> tuple[str, tuple[str, ...], str | None]:
    return memory.text, memory.tags, memory.review


ANSWERS = {
    "a list": ("GET", "/v1/memories?user={user}", None),
    "a memory": ("GET", "/v1/memories/{id}", None),
    "a search": ("POST", "/v1/memories/search", {"query": "When does the deal close?", "user": "{user}"}),
    "a correction": ("PATCH", "/v1/memories/{id}", {"pinned": True}),
    "a user's list": ("GET", "/v1/namespaces/{user}/memories", None),
    "an export": ("GET", "/v1/export?user={user}", None),
    "a rollback": ("POST", "/v1/rollback", {"call": "{user}", "dry_run": True}),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_no_answer_shows_a_word_that_was_kept_before_it_was_named(
    engine: Engine, api: httpx.AsyncClient, user: str, answer: str
) -> None:
    kept = await keep(engine, user, call=user)
    method, path, body = ANSWERS[answer]
    if body is not None:
        body = {name: kept.user if value == "{user}" else value for name, value in body.items()}
    shown = await api.request(method, path.format(user=user, id=kept.id), json=body)
    assert (shown.status_code, KEPT in shown.text, WORD in shown.text) == (200, True, False), shown.text


async def test_the_queue_of_review_shows_no_word(engine: Engine, api: httpx.AsyncClient, user: str) -> None:
    await keep(engine, user, review=f"the answer says {WORD}")
    shown = await api.get("/v1/review", params={"user": user})
    assert (KEPT in shown.text, WORD in shown.text) == (True, False)


async def test_a_reviewers_edit_is_kept_without_the_word(engine: Engine, api: httpx.AsyncClient, user: str) -> None:
    waiting = await keep(engine, user, review="the answer says it")
    edited = await api.post(f"/v1/review/{waiting.id}", json={"action": "edit", "text": f"{WORD} is on Monday."})
    kept = await engine.memories.get("default", waiting.id)
    assert (edited.status_code, kept.text) == (200, "[REDACTED:word] is on Monday.")


async def test_a_correction_is_kept_without_the_word(engine: Engine, api: httpx.AsyncClient, user: str) -> None:
    added = (await api.post("/v1/memories", json={"text": "The deal closes soon.", "user": user})).json()
    patch = {"text": SAID, "tags": [WORD, "deals"], "review": f"{WORD} is asked first"}
    corrected = await api.patch(f"/v1/memories/{added['id']}", json=patch)
    kept = await engine.memories.get("default", added["id"])
    assert corrected.status_code == 200
    assert says(kept) == (KEPT, ("[REDACTED:word]", "deals"), "[REDACTED:word] is asked first")


@pytest.mark.parametrize("path", ["/v1/memories", "/v1/import"])
async def test_what_is_added_or_imported_is_kept_without_the_word(
    engine: Engine, api: httpx.AsyncClient, user: str, path: str
) -> None:
    await api.post(path, json={"text": SAID, "tags": [WORD], "user": user})
    [kept] = await engine.memories.all("default", user)
    assert says(kept) == (KEPT, ("[REDACTED:word]",), None)


async def test_the_audit_calls_a_kept_word_a_secret(engine: Engine, user: str) -> None:
    found = audit([await keep(engine, user)], now=NOW, redactor=engine.redactor)
    assert [flaw.problem for flaw in found.flaws] == ["secret"]


async def test_words_hold_from_the_moment_that_the_settings_name_them(
    engine: Engine, api: httpx.AsyncClient, user: str
) -> None:
    before = engine.settings
    learn = before.learn.model_copy(update={"redact_words": (WORD, "Kestrel")})
    engine.use(before.model_copy(update={"learn": learn}))
    try:
        added = await api.post("/v1/memories", json={"text": "The Kestrel deal is off.", "user": user})
    finally:
        engine.use(before)
    assert added.json()["text"] == "The [REDACTED:word] deal is off."


async def test_an_embedding_model_is_sent_no_word_that_the_settings_name_by_now(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, embedding={"model": "embedder"}, learn=LEARN)
    models = Sent()
    engine = Engine(settings, count=len, models=models)
    try:
        engine.use(settings.model_copy(update={"learn": LearnSettings(redact=False, redact_words=(WORD, "Kestrel"))}))
        await engine.embedders.named().query(f"The {WORD} and Kestrel deals")
    finally:
        await engine.aclose()
    assert models.texts == ["The [REDACTED:word] and [REDACTED:word] deals"]


class Sent:
    """Models of LiteLLM that remember which texts were to be embedded."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def behind(self, model: str) -> str:
        return model

    async def vectors(self, model: str, texts: Sequence[str], **_: Any) -> list[list[float]]:
        self.texts += texts
        return [[1.0, 0.0] for _ in texts]

    async def complete(self, *_: Any, **__: Any) -> Answer:
        raise AssertionError("no chat model is asked here")
