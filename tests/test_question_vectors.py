"""A question's vector from the table of token vectors, and when the model reads the question after all."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import pytest_asyncio
from bed.engines import opened_engine
from bed.recall_set import Person, languages, made_up
from bed.remembered import memory

from litellm_memory.embedding import LocalModel, find_model
from litellm_memory.embedding.static import TABLE
from litellm_memory.engine import Engine
from litellm_memory.memories.query import Query
from litellm_memory.memories.recall import (
    CLEAR,
    COMPARED,
    FAINT,
    MOSTLY_ENGLISH,
    Recollection,
    Rejected,
    english_share,
    search,
    unclear,
)
from litellm_memory.models import Memory, Recalled, Scope, memory_id
from litellm_memory.settings import EmbeddingSettings

MODEL_DIR = find_model()
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(MODEL_DIR is None, reason="run `litellm-memory model install`"),
]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANNA = made_up()[0]
ENGLISH = [question for question in ANNA.asked if english_share(question.text) >= MOSTLY_ENGLISH]
"""Without those that name people with letters of other languages: the model reads those."""
UNSEEN = (
    "Which port did we choose for the staging proxy?",
    "My daughter starts school in September and she is nervous about it.",
    "Could you refactor this function so that it returns an iterator?",
    "I am allergic to walnuts, so please leave them out of the recipe.",
    "Why does the build fail with a segmentation fault on ARM?",
    "When is the dentist's appointment that I moved last week?",
    "We decided to drop Redis and keep the queue in PostgreSQL.",
    "What was the name of the restaurant by the harbour?",
)


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    assert MODEL_DIR is not None
    opened = LocalModel.open(MODEL_DIR)
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """An engine that knows a person and the speakers of other languages."""
    recall = {"deadline_ms": 5000, "meaning": False}
    async with opened_engine(tmp_path_factory.mktemp("data"), recall=recall) as opened:
        for person in [ANNA, *(person for person, _ in languages().values())]:
            await opened.memories.keep(memories_of(person))
        yield opened


def memories_of(person: Person) -> list[Memory]:
    scope = Scope("default", person.name)
    return [
        Memory(
            memory_id(scope.namespace, said.name, key=b"k"),
            scope.partition,
            scope.user,
            said.text,
            "episode",
            said.at,
            session=said.session,
        )
        for said in person.said
    ]


def query_of(person: Person, text: str) -> Query:
    return Query(text, Scope("default", person.name), 24, 0.3, tokens=1000)


@pytest.fixture
def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the model was asked to read."""
    texts: list[str] = []
    ask = engine.memories.vectors.query

    async def query(text: str, *, asked: datetime) -> object:
        texts.append(text)
        return await ask(text, asked=asked)

    monkeypatch.setattr(engine.memories.vectors, "query", query)
    return texts


async def found(engine: Engine, person: Person, text: str, mode: Literal["auto", "static", "full"]) -> Recollection:
    engine.memories.vectors.mode = mode
    return await engine.recall(query_of(person, text), now=NOW)


async def test_a_static_vector_is_near_the_models_vector_of_a_sentence_not_seen_in_training(model: LocalModel) -> None:
    static = np.array([model.static_query(text) for text in UNSEEN])
    np.testing.assert_allclose(np.linalg.norm(static, axis=1), 1.0, rtol=1e-5)
    cosines = static @ model.embed(UNSEEN).T
    assert np.mean(np.diag(cosines)) > 0.8
    assert (cosines.argmax(axis=1) == np.arange(len(UNSEEN))).all()


async def test_a_static_vector_is_the_same_on_every_call_also_after_the_model_read_the_text(model: LocalModel) -> None:
    before = model.static_query(UNSEEN[0])
    await model.query(UNSEEN[0])
    np.testing.assert_array_equal(model.static_query(UNSEEN[0]), before)


@pytest.mark.parametrize(
    "text", ["", "\ud83e", "日本語のテキスト 🦩", "word " * 5000], ids=["none", "half", "other", "long"]
)
async def test_every_text_has_a_static_unit_vector(model: LocalModel, text: str) -> None:
    vector = model.static_query(text)
    assert vector is not None
    assert np.linalg.norm(vector) == pytest.approx(1.0, rel=1e-5)


async def test_a_static_vector_stops_at_256_tokens_as_the_model_does(model: LocalModel) -> None:
    np.testing.assert_array_equal(model.static_query("word " * 254), model.static_query("word " * 254 + "flamingo"))


@pytest.mark.parametrize("damage", ["missing", "cut off", "changed"])
async def test_without_a_whole_table_the_model_reads_every_question_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    table = tmp_path / "questions.npy"
    content = TABLE.read_bytes()
    if damage != "missing":
        table.write_bytes(content[:5000] if damage == "cut off" else content[:-1] + bytes([content[-1] ^ 1]))
    assert MODEL_DIR is not None
    with caplog.at_level(logging.WARNING):
        opened = LocalModel.open(MODEL_DIR, table)
    assert [opened.static_query(text) for text in UNSEEN] == [None] * len(UNSEEN)
    assert [record.getMessage() for record in caplog.records] == [
        f"{table} is missing or damaged, so the model reads every question: install the package again."
    ]
    np.testing.assert_array_equal(await opened.query(UNSEEN[0]), opened.embed(UNSEEN[:1])[0])
    opened.close()


def ranked(*ranks: float, score: float, reason: Literal["threshold", "superseded"] | None = None) -> Recollection:
    whys = [{"rank": rank} for rank in ranks]
    if reason is None:
        return Recollection([Recalled(memory("text"), score, why) for why in whys])
    return Recollection([], [Rejected(memory("text"), score, why, reason) for why in whys])


QUERY = Query("text", Scope("p", "u"), 24, 0.3)


@pytest.mark.parametrize(
    ("result", "is_unclear"),
    [
        pytest.param(Recollection(), False, id="nothing found"),
        pytest.param(ranked(0.5, 0.5, score=0.5), True, id="two alike"),
        pytest.param(ranked(0.5 + 2 * CLEAR, 0.5, score=0.5), False, id="a clear first"),
        pytest.param(
            ranked(0.5 + 2 * CLEAR, *[0.5] * (COMPARED - 2), 0.6, score=0.5), False, id="clear of the last one"
        ),
        pytest.param(ranked(0.5, *[0.5] * COMPARED, 0.0, score=0.5), True, id="no more than the first few compare"),
        pytest.param(ranked(0.5, 0.5, score=0.3 - 2 * FAINT, reason="threshold"), False, id="far below the threshold"),
        pytest.param(ranked(0.5, 0.5, score=0.3 - FAINT / 2, reason="threshold"), True, id="just below the threshold"),
        pytest.param(ranked(0.5, 0.5, score=0.9, reason="superseded"), False, id="hidden ones alone"),
    ],
)
async def test_a_result_is_unclear_when_the_best_differ_little_and_are_near_the_threshold(
    result: Recollection, is_unclear: bool
) -> None:
    assert unclear(result, QUERY) is is_unclear


async def test_full_gives_exactly_what_the_models_vector_finds(engine: Engine, model: LocalModel) -> None:
    index = await engine.memories.index_for_query("default", ANNA.name, "text")
    for question in ANNA.asked:
        exact = search(index, model.embed([question.text])[0], query_of(ANNA, question.text), NOW)
        assert await found(engine, ANNA, question.text, "full") == exact


async def test_static_never_asks_the_model(engine: Engine, asked: list[str]) -> None:
    for question in ENGLISH:
        await found(engine, ANNA, question.text, "static")
    assert asked == []


async def test_auto_asks_the_model_when_the_result_is_unclear_and_then_gives_what_full_gives(
    engine: Engine, asked: list[str]
) -> None:
    for question in ENGLISH:
        static = await found(engine, ANNA, question.text, "static")
        full = await found(engine, ANNA, question.text, "full")
        asked.clear()
        auto = await found(engine, ANNA, question.text, "auto")
        is_unclear = unclear(static, query_of(ANNA, question.text))
        assert asked == [question.text] * is_unclear
        assert auto == (full if is_unclear else static)


async def test_recall_gives_the_same_on_every_call(engine: Engine) -> None:
    for question in ANNA.asked:
        first = await found(engine, ANNA, question.text, "auto")
        assert await found(engine, ANNA, question.text, "auto") == first


async def test_what_the_table_finds_stays_when_the_model_does_not_answer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(text: str, *, asked: datetime) -> None:
        return None

    static = [await found(engine, ANNA, question.text, "static") for question in ENGLISH]
    monkeypatch.setattr(engine.memories.vectors, "query", late)
    assert [await found(engine, ANNA, question.text, "auto") for question in ENGLISH] == static


@pytest.mark.parametrize("person", [person for person, _ in languages().values()], ids=languages())
async def test_a_question_in_another_language_is_answered_as_with_the_model_alone(
    engine: Engine, asked: list[str], person: Person
) -> None:
    for question in person.asked:
        full = await found(engine, person, question.text, "full")
        asked.clear()
        assert await found(engine, person, question.text, "auto") == full
        assert asked == [question.text]


async def test_a_scope_without_memories_needs_no_vector(
    engine: Engine, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.memories.vectors, "static_query", asked.append)
    nobody = replace(ANNA, name="nobody")
    assert await found(engine, nobody, ANNA.asked[0].text, "auto") == Recollection()
    assert asked == []


async def test_the_settings_name_how_questions_are_read() -> None:
    assert EmbeddingSettings(query="full").query == "full"
    with pytest.raises(ValueError, match="query"):
        EmbeddingSettings(query="fast")
