"""What recall finds for made-up people who chat with an assistant, with the real model and no language model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from bed.recall_set import Person, Said, facts, languages, made_up, unrelated

from litellm_memory import meaning
from litellm_memory.embedding import find_model
from litellm_memory.engine import Engine, Request
from litellm_memory.llm import count_tokens
from litellm_memory.memories.query import Query
from litellm_memory.models import Caller, Memory, Origin, Recalled, Scope, namespace
from litellm_memory.render import OPENING, render
from litellm_memory.settings import RecallSettings, Settings
from litellm_memory.store import memory_id

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_model() is None, reason="run `litellm-memory model install`"),
]

PEOPLE = made_up()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """An engine that knows all the people."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), recall=RecallSettings(deadline_ms=5000))
    engine = Engine(settings, count=count_tokens)
    engine.open()
    async with asyncio.timeout(30):
        while not engine.health.opened:
            await asyncio.sleep(0.01)
    try:
        for person in PEOPLE:
            await engine.memories.keep(memories_of(person, engine.ledger.key))
        yield engine
    finally:
        await engine.aclose()


def memories_of(person: Person, key: bytes) -> list[Memory]:
    user = namespace("default", person.name)
    return [
        Memory(
            memory_id(user, said.name, "0", key=key),
            "default",
            person.name,
            said.text,
            "episode",
            said.at,
            session=said.session,
        )
        for said in person.said
    ]


async def found(engine: Engine, person: Person, text: str, *, min_score: float = 0.0) -> list[Recalled]:
    query = Query(text, Scope("default", person.name), 10, min_score, standing_instructions=False)
    return (await engine.recall(query, now=datetime.now(UTC))).recalled


async def share_found(engine: Engine, person: Person, kind: str) -> list[float]:
    """For each question of a kind the share of its evidence among the first ten."""
    texts = {said.text: said.name for said in person.said}
    shares = []
    for question in person.asked:
        if question.kind == kind:
            names = {texts[item.memory.text] for item in await found(engine, person, question.text)}
            shares.append(len(question.answers & names) / len(question.answers))
    return shares


@pytest.mark.parametrize(
    ("kind", "floor"),
    [("single", 0.9), ("update", 0.8), ("multi", 0.85), ("temporal", 0.95), ("preference", 0.8)],
    ids=lambda value: value,
)
async def test_the_first_ten_hold_the_evidence(engine: Engine, kind: str, floor: float) -> None:
    shares = [share for person in PEOPLE for share in await share_found(engine, person, kind)]
    assert sum(shares) / len(shares) >= floor


async def test_a_block_is_never_larger_than_its_budget(engine: Engine) -> None:
    for person in PEOPLE:
        for question in person.asked:
            query = Query(question.text, Scope("default", person.name), 100, 0.0, tokens=256)
            recalled = (await engine.recall(query, now=datetime.now(UTC))).recalled
            assert recalled
            assert count_tokens(render(recalled, "xml").text) <= 256


async def test_what_was_learned_from_the_conversation_itself_is_not_given(engine: Engine) -> None:
    memories = [replace(memory, message="m1") for memory in memories_of(replace(PEOPLE[0], name="odile"), b"key")]
    await engine.memories.keep(memories[:3])
    query = Query("What did I say about the flat?", Scope("default", "odile"), 10, 0.0)
    assert (await engine.recall(query, now=datetime.now(UTC))).recalled
    without = replace(query, said=frozenset({"m1"}))
    assert not (await engine.recall(without, now=datetime.now(UTC))).recalled


async def test_a_request_may_ask_for_an_index(engine: Engine) -> None:
    headers = {"x-memory-user-id": PEOPLE[0].name, "x-ai-mem-full": "1", "x-ai-mem-total": "5"}
    body = {"model": "any", "messages": [{"role": "user", "content": "What is my cat called?"}]}
    request = Request("call", "acompletion", "/v1/chat/completions", headers, body, Caller(master=True), ("any",))
    lines = (await engine.before(request)).block.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("<ai-mem-context>", OPENING, "</ai-mem-context>")
    assert any("Bobina" in line for line in lines)
    assert lines[-3].startswith("Tokens: index ")


async def test_unrelated_questions_are_given_nothing(engine: Engine) -> None:
    threshold = engine.settings.recall.min_score
    asked = [(person, text) for person in PEOPLE for text in unrelated()]
    given = [text for person, text in asked if await found(engine, person, text, min_score=threshold)]
    assert len(asked) >= 700
    assert len(given) <= 0.05 * len(asked)


async def test_a_question_about_what_was_said_passes_the_threshold(engine: Engine) -> None:
    threshold = engine.settings.recall.min_score
    asked = [(person, question.text) for person in PEOPLE for question in person.asked if question.kind != "preference"]
    passed = [text for person, text in asked if await found(engine, person, text, min_score=threshold)]
    assert len(passed) >= 0.8 * len(asked)


@pytest.mark.parametrize("kind", ["fact", "episode"])
async def test_of_facts_imported_together_only_those_that_answer_are_given(engine: Engine, kind: str) -> None:
    scope, settings = Scope("default", f"importer of {kind}s"), engine.settings.recall
    given = Memory("", "default", scope.user, "", kind, datetime.now(UTC), origin=Origin("import"))  # type: ignore[arg-type]
    await engine.memories.keep(
        [replace(given, id=memory_id(scope.namespace, fact, key=engine.ledger.key), text=fact) for fact, _ in facts()]
    )
    blocks = []
    for fact, question in facts():
        query = Query(question, scope, settings.max_memories, settings.min_score, tokens=settings.token_budget)
        texts = [item.memory.text for item in (await engine.recall(query, now=datetime.now(UTC))).recalled]
        blocks.append((fact in texts, len(texts)))
    assert sum(count <= 3 for _, count in blocks) >= 0.95 * len(blocks)
    assert sum(found for found, _ in blocks) >= 0.95 * len(blocks)


async def test_a_question_in_another_language_finds_what_it_needs_though_they_share_no_word(engine: Engine) -> None:
    said, threshold = (
        {"lin": ("我对虾和蟹过敏。", "我在成都上班。"), "zoé": ("Ma femme est allergique aux arachides.",)},
        0.3,
    )
    asked = {"lin": "今晚的海鲜火锅该买些什么？", "zoé": "Qu'est-ce que je peux cuisiner ce soir pour mon épouse ?"}
    people = [
        Person(name, tuple(Said(text, text, text, datetime.now(UTC)) for text in texts), ())
        for name, texts in said.items()
    ]
    for person in people:
        await engine.memories.keep(memories_of(person, engine.ledger.key))

    async def given() -> list[list[str]]:
        return [
            [item.memory.text for item in await found(engine, person, asked[person.name], min_score=threshold)]
            for person in people
        ]

    meaning.needed("The encoder is loaded by this.", [])
    settings = engine.settings
    assert await given() == [[said["lin"][0]], [said["zoé"][0]]]
    engine.use(settings.model_copy(update={"recall": settings.recall.model_copy(update={"meaning": False})}))
    assert await given() == [[], []]
    engine.use(settings)


@pytest.mark.parametrize(("person", "nothing"), languages().values(), ids=languages())
async def test_what_was_said_is_found_in_every_script_and_for_what_was_not_nothing(
    engine: Engine, person: Person, nothing: str
) -> None:
    threshold = engine.settings.recall.min_score
    await engine.memories.keep(memories_of(person, engine.ledger.key))
    texts = {said.name: said.text for said in person.said}
    for question in person.asked:
        [answer] = question.answers
        assert (await found(engine, person, question.text, min_score=threshold))[0].memory.text == texts[answer]
    assert await found(engine, person, nothing, min_score=threshold) == []
