"""What a newer statement does to what is known: takes its place, confirms it, waits, or stands beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from litellm_memory.extract import Wish
from litellm_memory.extract.wishes import meant, wish_in
from litellm_memory.learn.compare import Settled, compare, settle
from litellm_memory.models import Memory, Origin, Superseded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT_NOTHING = "it does not say what it is about"
PAIRS = Path(__file__).parent / "data" / "updates.txt"


def pairs(section: str) -> list[tuple[str, str]]:
    """(known, said later) of one section of the file."""
    [_, text] = PAIRS.read_text(encoding="utf-8").split(f"## {section}\n")
    lines = text.split("\n## ")[0].splitlines()
    return [(known, later) for line in lines if line for known, later in [line.split(" | ")]]


def memory(number: int, text: str, **fields: object) -> Memory:
    said = NOW + timedelta(days=number)
    return replace(Memory(f"m{number}", "p", "u", text, "fact", said, valid_from=said), **fields)  # type: ignore[arg-type]  # a test's fields


@pytest.mark.parametrize("section", ["updates", "alike"])
def test_newer_statements_supersede_and_look_alikes_do_not(section: str) -> None:
    """At least 95 of 100 are right, on at least 100 pairs of each."""
    found = [becomes_of(known, later) for known, later in pairs(section)]
    right = {"updates": "superseded", "alike": "stays"}[section]
    assert len(found) >= 250
    assert found.count(right) >= 0.95 * len(found)


def becomes_of(known: str, later: str) -> str:
    """What becomes of a known statement when another is said an hour later."""
    settled = settle([replace(memory(1, later), valid_from=NOW + timedelta(hours=1))], [memory(0, known)])
    if "m0" in settled.known:
        return "superseded" if settled.known["m0"].superseded_by else "confirmed"
    return "stays"


@pytest.mark.parametrize(
    ("known", "said", "kept"),
    [
        ("Our database is MySQL.", "Actually it is Postgres now.", ("Our database is Postgres.", None)),
        ("The timeout is 30 seconds.", "Actually it is Postgres now.", ("Actually it is Postgres now.", ABOUT_NOTHING)),
        (None, "Actually it is Postgres now.", ("Actually it is Postgres now.", ABOUT_NOTHING)),
    ],
    ids=["says the subject anew", "another sort of value", "nothing known"],
)
def test_a_correction_without_a_subject_is_of_what_was_said_last(
    known: str | None, said: str, kept: tuple[str, str | None]
) -> None:
    before = [memory(0, known), replace(memory(0, "Our queue is Kafka."), id="older", valid_from=NOW - timedelta(1))]
    settled = settle([replace(memory(1, said), valid_from=NOW + timedelta(minutes=1))], before if known else [])
    [new] = settled.new.values()
    assert (new.text, new.review) == kept


@pytest.mark.parametrize(
    ("known", "later", "relation"),
    [
        ("I live in Berlin.", "I live in Berlin", "same"),
        ("I live in Berlin.", "Ich wohne in Berlin.", "same"),
        ("I live in Berlin, in Kreuzberg.", "I live in Berlin.", "same"),
        ("I live in Berlin.", "I live in Berlin, in Kreuzberg.", "updates"),
        ("the deploy key expires in June", "The deploy key expires in June!", "same"),
        ("My cat is ill.", "My cat is now happy.", "unclear"),
        ("Our CI runs on Jenkins.", "We switched from Jenkins to Buildkite for the mobile app.", "unclear"),
        ("a sentence of no known shape", "another one of that sort", "other"),
    ],
)
def test_how_two_statements_stand_to_each_other(known: str, later: str, relation: str) -> None:
    assert compare(later, known).relation == relation


def test_what_is_superseded_says_by_what_why_and_until_when() -> None:
    old, new = memory(1, "I live in Bristol."), memory(2, "I moved to Leeds.")
    ended = replace(old, superseded_by=Superseded("m2", "a newer value was said"), valid_until=NOW + timedelta(days=2))
    assert settle([new], [old]) == Settled({"m2": new}, {"m1": ended})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I live in Bristol.", {}),
        ("I live in Leeds.", {"m2": "the answer contradicts memory m1"}),
    ],
    ids=["repeats", "contradicts"],
)
def test_an_answer_confirms_nothing_and_supersedes_nothing(text: str, kept: dict[str, str]) -> None:
    settled = settle([memory(2, text, origin=Origin("assistant"))], [memory(1, "I live in Bristol.")])
    assert settled.known == {}
    assert {new.id: new.review for new in settled.new.values()} == kept


def test_a_chain_of_moves_leaves_the_last_one_in_force() -> None:
    moves = [memory(number, f"I moved to {city}.") for number, city in enumerate(("Rome", "Oslo", "Bern"))]
    settled = settle(moves, [])
    assert [m.text for m in settled.new.values() if m.superseded_by is None] == ["I moved to Bern."]


def test_what_was_said_earlier_and_is_learned_later_does_not_win() -> None:
    known, late = memory(5, "I live in Leeds."), memory(1, "I live in Bristol.")
    settled = settle([late], [known])
    assert settled.known == {}
    assert settled.new["m1"].superseded_by == Superseded("m5", "a newer value was said")


@pytest.mark.parametrize(
    ("fields", "only_session"),
    [({"project": "zeus"}, False), ({"session": "s2"}, True), ({"kind": "episode"}, False), ({"review": "why"}, False)],
    ids=["other project", "other session", "episode", "waits for review"],
)
def test_what_is_not_comparable_stays_as_it_is(fields: dict[str, object], only_session: bool) -> None:
    known, new = memory(1, "I live in Bristol.", **fields), memory(2, "I moved to Leeds.")
    assert settle([new], [known], only_session=only_session) == Settled({"m2": new}, {})


@pytest.mark.parametrize(
    ("sentence", "wish"),
    [
        ("Forget my birthday.", Wish("forget", "my birthday")),
        ("Please forget what I said about Berlin.", Wish("forget", "Berlin")),
        ("It's no longer true that I work at Acme.", Wish("end", "I work at Acme")),
        ("Vergiss bitte meinen Geburtstag.", Wish("forget", "meinen Geburtstag")),
        ("Es stimmt nicht mehr, dass ich in Kassel wohne.", Wish("end", "ich in Kassel wohne")),
        ("Oublie mon anniversaire.", Wish("forget", "mon anniversaire")),
        ("Ce n'est plus vrai que j'habite à Nantes.", Wish("end", "j'habite à Nantes")),
        ("Olvida mi cumpleaños.", Wish("forget", "mi cumpleaños")),
        ("Ya no es cierto que vivo en Valencia.", Wish("end", "vivo en Valencia")),
        ("忘记我的生日。", Wish("forget", "我的生日")),
        ("Forget it.", None),
        ("Don't forget the milk.", None),
        ("Did you forget my birthday?", None),
        ("If you forget my birthday, I will be sad.", None),
        ("I always forget my keys.", None),
    ],
)
def test_wishes_about_memory_itself(sentence: str, wish: Wish | None) -> None:
    assert wish_in(sentence) == wish


def test_a_vague_wish_is_not_acted_on() -> None:
    texts = [f"My {name} lives in Berlin." for name in ("aunt", "uncle", "cousin", "niece")]
    assert meant(Wish("forget", "Berlin"), texts) == []
    assert meant(Wish("forget", "my aunt"), texts) == ["My aunt lives in Berlin."]
