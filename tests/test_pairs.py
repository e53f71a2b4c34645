"""What takes whose place by meaning: how pairs are read, and what becomes of the memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from litellm_memory.extract import extract, pairs
from litellm_memory.extract.commands import MemoryCommand, broad, likeliest, meant_in, wishes_in
from litellm_memory.extract.known import KnownStatements
from litellm_memory.extract.pairs import LIKELY, NEAREST, SURE, replaced
from litellm_memory.extract.reconcile import Reconciliation, reconcile
from litellm_memory.meaning import placed, vectors
from litellm_memory.models import Exchange, Memory, Scope, Superseded

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CHANGED = "it was said to have changed"
UPDATES = [
    ("We deploy with Jenkins.", "The team threw out Jenkins, Buildkite does it now."),
    ("My rent is 800 euros.", "the landlord raised it to 920"),
    ("I smoke a pack a day.", "quit smoking, two months now"),
    ("I'm a member of the sailing club.", "I left the club in autumn."),
    ("Ich spiele Tennis im Verein.", "wegen der Schulter habe ich mit Tennis aufgehört"),
    ("Unsere Besprechung ist um 9 Uhr.", "die Besprechung wurde dauerhaft auf 11 Uhr verlegt"),
    ("Je suis cliente chez Orange.", "on est passés chez un autre opérateur, Orange c'est fini"),
    ("我在学法语。", "法语放弃了"),
    ("我在學法語。", "法语放弃了"),
]
ALIKE = [
    ("I live in Bristol.", "My brother moved to Leeds."),
    ("I live in Bristol.", "Would Leeds be a good place to move to?"),
    ("My cat is called Luna.", "The neighbours' cat is called Milo."),
    ("I speak German.", "I speak French too."),
    ("We deploy with Jenkins.", "At my previous company we had Buildkite."),
    ("I play chess.", "I fixed the parser, can you run the tests again?"),
    ("Ich fahre mit dem Rad zur Arbeit.", "Heute bin ich mit dem Bus gekommen."),
    ("Je suis végétarienne.", "Mon mari mange de la viande."),
    ("Mi hermana se llama Ana.", "En la novela la hermana se llama Eva."),
    ("我住在北京。", "我弟弟搬到上海了。"),
]
WISHES = [
    ("My salary is private, get it out of your notes", "forget"),
    ("You have no business knowing about my divorce.", "forget"),
    ("Mein Gehalt geht dich nichts an, raus aus deinem Speicher", "forget"),
    ("Fais comme si tu ne savais rien de mon divorce", "forget"),
    ("我的工资不该存在你那里", "forget"),
    ("Nothing of this chat should be kept.", "pause"),
    ("Von diesem Gespräch soll nichts gespeichert bleiben.", "pause"),
    ("Ce qu'on dit ici ne doit pas être enregistré", "pause"),
    ("这段对话不要留下记录", "pause"),
]
NO_WISHES = [
    "Don't let me forget my appointment tomorrow.",
    "Delete the unused imports in this file.",
    "The worker leaks memory after each request.",
    "I forgot my password, what now?",
    "Vergiss nicht, dass ich keine Nüsse esse.",
    "Comment effacer l'historique de mon navigateur ?",
    "Ya no usamos Jenkins.",
    "We moved the database to Leeds.",
]


def memory(number: int, text: str, **fields: object) -> Memory:
    said = NOW + timedelta(days=number)
    made = Memory(f"m{number}", "p", "u", text, "fact", said, valid_from=said, message=f"message {number}")
    return replace(made, **fields)  # type: ignore[arg-type]  # a test's fields


def ended(old: Memory, by: Memory) -> Memory:
    return replace(old, superseded_by=Superseded(by.id, CHANGED), valid_until=by.valid_from)


def reconciled(
    new: Sequence[Memory], known: Sequence[Memory], likely: dict[str, float], *only_if_ends: str
) -> Reconciliation:
    """With a judge that gives these probabilities to known texts."""
    return reconcile(
        new,
        KnownStatements(known),
        only_if_ends=only_if_ends,
        judge=lambda _, texts: [likely.get(text, 0.0) for text in texts],
    )


# --- what a pair means ---


@pytest.mark.parametrize(("known", "new"), UPDATES)
def test_what_is_said_in_its_place_is_told_without_naming_it(known: str, new: str) -> None:
    assert replaced(new, [known]) >= [SURE]


@pytest.mark.parametrize(("known", "new"), ALIKE)
def test_what_is_about_somebody_or_something_else_takes_nothings_place(known: str, new: str) -> None:
    assert replaced(new, [known]) < [SURE]


def test_only_the_nearest_are_judged_and_none_that_is_about_something_else() -> None:
    known = [f"I live in house number {number}." for number in range(20)]
    found = replaced("I moved out of house number 7.", known)
    assert sum(likely > 0 for likely in found) == NEAREST
    assert replaced("All items were changed.", ["I play the cello in a quartet."]) == [0.0]


def test_of_many_only_those_of_the_subject_give_way() -> None:
    known = ["I live in Bristol.", "I live in a flat in Bristol, by the river.", "My sister lives in York."]
    found = replaced("I moved to Leeds, I don't live in Bristol any more.", known)
    assert [likely >= SURE for likely in found] == [True, True, False]


def test_what_is_quoted_changes_nothing() -> None:
    new = "Translate into French: “I don't live in Bristol any more, I moved to Leeds.”"
    assert replaced(new, ["I live in Bristol."]) < [LIKELY]


def test_without_the_encoder_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "available", lambda: False)
    assert replaced("I moved to Leeds.", ["I live in Bristol."]) == [0.0]


def test_a_text_read_among_others_has_the_vector_that_it_has_alone() -> None:
    texts = ["I live in Bristol.", "我住在杭州。", "Ich wohne in Kassel."]
    assert np.allclose(vectors(texts)[1], vectors(texts[1:2])[0], atol=1e-5)
    assert np.array_equal(placed(texts)[1], placed(texts[1:2])[0])


# --- what becomes of the memories ---


def test_a_message_that_takes_a_statements_place_is_a_statement_of_its_kind() -> None:
    home, news = memory(1, "I live in Bristol."), memory(2, "The boxes are in Leeds at last!", kind="episode")
    found = reconciled([news], [home], {home.text: SURE})
    now = replace(news, kind="fact")
    assert (found.new, found.known) == ({"m2": now}, {"m1": ended(home, now)})


def test_a_message_takes_the_place_of_a_message() -> None:
    old, new = (memory(number, text, kind="episode") for number, text in ((1, "Rent is 940."), (2, "Rent is 1,015.")))
    found = reconciled([new], [old], {old.text: SURE})
    assert (found.new, found.known) == ({"m2": new}, {"m1": ended(old, new)})


def test_what_was_said_in_one_message_is_over_together() -> None:
    home = memory(1, "I live in Bristol.")
    message = replace(home, id="e1", text="I live in Bristol, near the docks.", kind="episode")
    other = memory(2, "I drink tea.")
    news = memory(3, "We're in Leeds since May.", kind="episode")
    found = reconciled([news], [home, message, other], {home.text: SURE, message.text: LIKELY, other.text: LIKELY})
    now = replace(news, kind="fact")
    assert found.known == {"m1": ended(home, now), "e1": ended(message, now)}


def test_in_doubt_both_stay() -> None:
    home, news = memory(1, "I live in Bristol."), memory(2, "Leeds is lovely.", kind="episode")
    found = reconciled([news], [home], {home.text: SURE - 0.01})
    assert (found.new, found.known) == ({"m2": news}, {})


@pytest.mark.parametrize("likely", [SURE, 0.0])
def test_a_message_that_says_too_little_is_kept_when_something_is_over_by_it(likely: float) -> None:
    exchange = Exchange("call", Scope("p", "u"), "mark", "Gave it up.", NOW)
    [ending] = extract(exchange, patterns=True, turns=True).ending
    old, new = memory(1, "I play the cello.", kind="preference"), memory(2, ending.text)
    found = reconciled([new], [old], {old.text: likely}, "m2")
    assert found.new == ({"m2": replace(new, kind="preference")} if likely else {})
    assert found.idle == (set() if likely else {"m2"})


def test_neither_an_answer_nor_what_was_said_before_takes_a_place() -> None:
    old, early = memory(5, "I live in Bristol."), memory(1, "We're in Leeds.", kind="episode")
    answer = memory(6, "You are in Leeds.", origin=replace(memory(6, "").origin, role="assistant"))
    assert reconciled([early, answer], [old], {old.text: SURE}).known == {}


# --- wishes ---


@pytest.mark.parametrize(("said", "action"), WISHES)
def test_a_wish_in_no_known_shape_is_understood_and_never_a_memory(said: str, action: str) -> None:
    found = meant_in(said)
    assert found is not None
    assert (found.action, found.sure) == (action, action == "pause")
    exchange = Exchange("call", Scope("p", "u"), "mark", said, NOW)
    assert [one for one in extract(exchange, patterns=True, turns=True).candidates if one.kind == "episode"] == []


def test_a_wish_that_nothing_of_today_be_remembered_holds_for_the_day_in_any_shape() -> None:
    assert meant_in("今天不要记住我接下来说的。") == MemoryCommand("pause", "", all_day=True)


@pytest.mark.parametrize("said", NO_WISHES)
def test_what_only_speaks_of_forgetting_is_no_wish(said: str) -> None:
    assert meant_in(said) is None


def test_a_wish_means_what_shares_its_words_or_its_meaning_and_what_it_needs() -> None:
    known = ["I weigh 92 kilos.", "My cat is called Luna.", "I play the cello."]
    for said, meant in (("My weight is none of your business, away with it", 0), ("take Luna out of your notes", 1)):
        wish = meant_in(said)
        assert wish is not None
        assert likeliest(wish, known)[0] == known[meant]
        assert known[2] not in likeliest(wish, known)
    mother = ["My mother has dementia.", "My mother's care home is called Fairlea.", "I row at Henley."]
    about = MemoryCommand("forget", "Mum passed. I'd rather have nothing about her come up from now on", sure=False)
    assert {*likeliest(about, mother)} == {*mother[:2]}
    assert likeliest(replace(wish, what="") if wish else wish, known) == []


KNOWN = (
    "My phone number is 0123 456.",
    "I like green tea.",
    "My old job was at Tesco.",
    "I have a dog.",
    "My trip to Rome is in May.",
    "My address is 3 Elm Road.",
)


@pytest.mark.parametrize(
    "said",
    [
        "Forget my phone number, nothing else.",
        "Forget my phone number, but nothing else please",
        "Forget my phone number, no need to change anything else.",
        "Delete my phone number and don't touch anything else.",
        "Forget my old job and the rest of that project.",
        "Forget that I like green tea, except for the name of the shop.",
        "Vergiss meine Adresse bis auf Weiteres.",
        "Olvida mi dirección, lo demás no lo toques.",
        "忘记我的电话号码，其他的不要动",
        "You can drop the address and the phone number, keep the rest.",
        "mein Hund kann weg, alles andere darf bleiben",
    ],
)
def test_a_wish_about_one_thing_that_speaks_of_the_rest_is_about_that_thing(said: str) -> None:
    [(sentence, wish)] = wishes_in(said)
    assert broad(sentence, wish, KNOWN) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Forget everything about me.", ()),
        ("Wipe everything you've got on me.", ()),
        ("Forget everything except my trips", (4,)),
        ("Delete everything but my address.", (5,)),
        ("Apart from my address you can throw everything away", (5,)),
        ("Keep my phone number and bin all the other stuff.", (0,)),
        ("Den Hund darfst du behalten, der Rest kann weg.", (3,)),
    ],
)
def test_a_wish_about_all_but_something_never_asks_about_that(said: str, kept: Sequence[int]) -> None:
    [(sentence, wish)] = wishes_in(said)
    asked = broad(sentence, wish, KNOWN)
    assert asked
    assert not {KNOWN[number] for number in kept} & {*asked}
    assert len(asked) == len(KNOWN) or kept
