"""What a newer statement does to what is known: takes its place, confirms it, waits, or is kept as well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bed.labelled import labelled

from litellm_memory.extract import MemoryCommand, extract, targets_of
from litellm_memory.extract.changes import change_in
from litellm_memory.extract.commands import command_in
from litellm_memory.extract.compare import compare
from litellm_memory.extract.known import KnownStatements
from litellm_memory.extract.pairs import SURE, replaced
from litellm_memory.extract.reconcile import Reconciliation, reconcile
from litellm_memory.models import Exchange, Memory, Origin, Scope, Superseded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT_NOTHING = "it does not say what it is about"
PAIRS = Path(__file__).parent / "data" / "updates.txt"
WISHES = Path(__file__).parent / "data" / "wishes.txt"


def pairs(section: str) -> list[tuple[str, str]]:
    """(known, said later) of one section of the file."""
    [_, text] = PAIRS.read_text(encoding="utf-8").split(f"## {section}\n")
    lines = text.split("\n## ")[0].splitlines()
    return [(known, later) for line in lines if line for known, later in [line.split(" | ")]]


def memory(number: int, text: str, **fields: object) -> Memory:
    said = NOW + timedelta(days=number)
    return replace(Memory(f"m{number}", "p", "u", text, "fact", said, valid_from=said), **fields)  # type: ignore[arg-type]  # a test's fields


def learned_of(text: str) -> bool:
    exchange = Exchange("call", Scope("p", "u"), "mark", text, NOW)
    found = extract(exchange, patterns=True, turns=False)
    return bool(found.candidates or found.ending)


def reconciled(new: Sequence[Memory], known: Sequence[Memory], *, only_session: bool = False) -> Reconciliation:
    return reconcile(new, KnownStatements(known), only_session=only_session)


@pytest.mark.parametrize("section", ["updates", "alike"])
def test_newer_statements_supersede_and_look_alikes_do_not(section: str) -> None:
    """By rule, or by the net where no rule relates the two."""
    found = [
        becomes_of(known, later) == "superseded" or replaced(later, [known])[0] >= SURE
        for known, later in pairs(section)
    ]
    assert len(found) >= 250
    assert found.count(section == "updates") >= {"updates": 0.91, "alike": 0.96}[section] * len(found)


def becomes_of(known: str, later: str) -> str:
    """What becomes of a known statement when another is said an hour later."""
    found = reconciled([replace(memory(1, later), valid_from=NOW + timedelta(hours=1))], [memory(0, known)])
    if "m0" in found.known:
        return "superseded" if found.known["m0"].superseded_by else "confirmed"
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
    found = reconciled([replace(memory(1, said), valid_from=NOW + timedelta(minutes=1))], before if known else [])
    [new] = found.new.values()
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
        ("a sentence of no known shape", "SHE PASSED", "other"),
    ],
)
def test_how_two_statements_stand_to_each_other(known: str, later: str, relation: str) -> None:
    assert compare(later, known).relation == relation


def test_who_comes_back_to_what_was_said_first_has_one_value_in_force_also_within_one_batch() -> None:
    moves = [memory(number, f"I live in {city}.") for number, city in enumerate(("Rome", "Oslo", "Rome"))]
    found = reconciled(moves, [])
    assert [(m.id, m.superseded_by and m.superseded_by.id) for m in found.new.values()] == [
        ("m0", "m1"),
        ("m1", "m2"),
        ("m2", None),
    ]


def test_what_is_superseded_says_by_what_why_and_until_when() -> None:
    old, new = memory(1, "I live in Bristol."), memory(2, "I moved to Leeds.")
    ended = replace(old, superseded_by=Superseded("m2", "a newer value was said"), valid_until=NOW + timedelta(days=2))
    assert reconciled([new], [old]) == Reconciliation({"m2": new}, {"m1": ended})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I live in Bristol.", {}),
        ("I live in Leeds.", {"m2": "the answer contradicts memory m1"}),
    ],
    ids=["repeats", "contradicts"],
)
def test_an_answer_confirms_nothing_and_supersedes_nothing(text: str, kept: dict[str, str]) -> None:
    found = reconciled([memory(2, text, origin=Origin("assistant"))], [memory(1, "I live in Bristol.")])
    assert found.known == {}
    assert {new.id: new.review for new in found.new.values()} == kept


def test_a_chain_of_moves_leaves_the_last_one_in_force() -> None:
    moves = [memory(number, f"I moved to {city}.") for number, city in enumerate(("Rome", "Oslo", "Bern"))]
    found = reconciled(moves, [])
    assert [m.text for m in found.new.values() if m.superseded_by is None] == ["I moved to Bern."]


def test_what_was_said_earlier_and_is_learned_later_does_not_win() -> None:
    known, late = memory(5, "I live in Leeds."), memory(1, "I live in Bristol.")
    found = reconciled([late], [known])
    assert found.known == {}
    assert found.new["m1"].superseded_by == Superseded("m5", "a newer value was said")


@pytest.mark.parametrize(
    ("fields", "only_session"),
    [({"project": "zeus"}, False), ({"session": "s2"}, True), ({"kind": "episode"}, False), ({"review": "why"}, False)],
    ids=["other project", "other session", "episode", "waits for review"],
)
def test_what_is_not_comparable_stays_as_it_is(fields: dict[str, object], only_session: bool) -> None:
    known, new = memory(1, "I live in Bristol.", **fields), memory(2, "I moved to Leeds.")
    assert reconciled([new], [known], only_session=only_session) == Reconciliation({"m2": new}, {})


@pytest.mark.parametrize(
    ("sentence", "command"),
    [
        ("Forget my birthday.", MemoryCommand("forget", "my birthday")),
        ("Please forget what I said about Berlin.", MemoryCommand("forget", "Berlin")),
        ("It's no longer true that I work at Acme.", MemoryCommand("end", "I work at Acme")),
        ("Vergiss bitte meinen Geburtstag.", MemoryCommand("forget", "meinen Geburtstag")),
        ("Es stimmt nicht mehr, dass ich in Kassel wohne.", MemoryCommand("end", "ich in Kassel wohne")),
        ("Oublie mon anniversaire.", MemoryCommand("forget", "mon anniversaire")),
        ("Ce n'est plus vrai que j'habite à Nantes.", MemoryCommand("end", "j'habite à Nantes")),
        ("Olvida mi cumpleaños.", MemoryCommand("forget", "mi cumpleaños")),
        ("Ya no es cierto que vivo en Valencia.", MemoryCommand("end", "vivo en Valencia")),
        ("忘记我的生日。", MemoryCommand("forget", "我 生日")),
        ("Forget it.", None),
        ("Don't forget the milk.", None),
        ("Did you forget my birthday?", None),
        ("If you forget my birthday, I will be sad.", None),
        ("I always forget my keys.", None),
    ],
)
def test_commands_to_memory_are_found(sentence: str, command: MemoryCommand | None) -> None:
    assert command_in(sentence) == command


def wishes() -> list[tuple[str, str]]:
    lines = (line for line in WISHES.read_text(encoding="utf-8").splitlines() if line and line[0] in "+-")
    return [(line[0], line[2:]) for line in lines]


@pytest.mark.parametrize(("sign", "said"), wishes())
def test_wishes_about_memory_are_told_from_their_look_alikes(sign: str, said: str) -> None:
    command = command_in(said)
    assert (command is not None and command.action in ("forget", "pause")) == (sign == "+")


def test_a_vague_command_is_not_acted_on() -> None:
    texts = [f"My {name} lives in Berlin." for name in ("aunt", "uncle", "cousin", "niece")]
    assert targets_of(MemoryCommand("forget", "Berlin"), texts) == []
    assert targets_of(MemoryCommand("forget", "my aunt"), texts) == ["My aunt lives in Berlin."]


DENIALS = (
    (r"^I'm |^I am ", "I'm no longer "),
    (r"^(I|We) (?=(?:have|live|work|play|own|use|speak|study|drink|eat|teach|run|deploy|host)\b)", r"\1 no longer "),
    (r"^((?:My|Our|The) [\w ]{2,40}?) (is|are) ", r"\1 \2 no longer "),
    (r"^Ich (bin|wohne|arbeite|spiele|studiere|lebe) ", r"Ich \1 nicht mehr "),
    (r"^Je (suis|travaille|joue|bois|mange|parle) ", r"Je ne \1 plus "),
    (r"^J'(habite|ai|étudie) ", r"Je n'\1 plus "),
    (r"^(Vivo|Trabajo|Tengo|Soy|Estudio|Bebo|Juego|Uso) ", r"Ya no \1 "),
    (r"^我(住在|是|喜欢|用|喝|吃|养|学)", r"我不再\1"),
)
"""How some beginnings of a sentence are denied, in five languages."""


def test_every_sentence_that_is_learned_can_be_denied_and_its_denial_is_learned() -> None:
    told = [text for message in labelled() for kind, text in message.marked if kind in ("fact", "preference")]
    pairs = [
        (text, re.sub(pattern, denied, text))
        for text in told
        for pattern, denied in DENIALS
        if re.match(pattern, text) and not change_in(text)
    ]
    assert len(pairs) >= 120
    open_ones = [
        (known, denial)
        for known, denial in pairs
        if compare(denial, known).relation != "updates" or not learned_of(denial)
    ]
    assert len(open_ones) <= 0.05 * len(pairs), open_ones


# --- the index of what is known ---


def test_every_pair_that_is_about_one_thing_is_found_by_the_index_whichever_was_said_later() -> None:
    texts = [text for section in ("updates", "alike") for pair in pairs(section) for text in pair]
    known = KnownStatements(memory(number, text) for number, text in enumerate(texts))
    for text in texts:
        related = {
            f"m{number}"
            for number, other in enumerate(texts)
            if compare(text, other).relation != "other" or compare(other, text).relation != "other"
        }
        assert related <= {found.id for found in known.concerned(text)}


def test_an_index_follows_what_is_known() -> None:
    bristol, leeds, tea = (memory(n, text) for n, text in enumerate(("I live in Bristol.", "I live in Leeds.", "Tea.")))
    known = KnownStatements([bristol, tea])
    known.update([replace(bristol, text="I own a boat."), leeds, replace(tea, review="why")])
    assert [found.text for found in known] == ["I own a boat.", "I live in Leeds."]
    assert known.concerned("I moved to Rome.") == [leeds]
    known.update([])
    assert [*known] == known.concerned("I moved to Rome.") == []


def test_what_an_index_was_told_of_and_is_not_known_after_all_is_forgotten() -> None:
    """As when the store refused what was reconciled."""
    old, new = memory(1, "I live in Bristol."), memory(2, "I moved to Leeds.")
    known = KnownStatements([old])
    reconcile([new], known)
    assert [*known] == [new]
    known.update([old])
    assert [*known] == [old]


@pytest.mark.parametrize(
    ("later", "known", "relation"),
    [
        (
            "The router on floor 1 is blue and belongs to Quin since 2056.",
            "The router on floor 1 is blue and belongs to Quin since 2016.",
            "other",
        ),
        (
            "The router on floor 1 is blue and belongs to Quin since 2016.",
            "The router on floor 1 is blue and belongs to Quin since 2016.",
            "same",
        ),
    ],
)
def test_what_differs_in_a_number_is_not_said_twice(later: str, known: str, relation: str) -> None:
    assert compare(later, known).relation == relation
