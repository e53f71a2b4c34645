"""People whose memories are asked for: the made-up ones beside this file, or a LoCoMo file; and unrelated questions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
LOCOMO_KINDS = {1: "multi", 2: "temporal", 3: "open", 4: "single", 5: "adversarial"}


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a person: what becomes one memory."""

    name: str
    text: str
    session: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the names of the messages that answer it."""

    text: str
    kind: str
    answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with memories and the questions to them."""

    name: str
    said: tuple[Said, ...]
    asked: tuple[Asked, ...]


def made_up() -> list[Person]:
    """People who chat with an assistant, and questions about what they said."""
    told = yaml.safe_load((HERE / "recall_set.yaml").read_text(encoding="utf-8"))
    questions = yaml.safe_load((HERE / "recall_questions.yaml").read_text(encoding="utf-8"))
    return [Person(one["user"], _chats(one["sessions"]), _questions(questions[one["user"]])) for one in told]


def locomo(file: Path) -> list[Person]:
    """The conversations of a LoCoMo file (Maharana and others 2024), every turn a message of one person."""
    return [_conversation(one) for one in json.loads(file.read_text(encoding="utf-8"))]


def people_of(file: Path) -> list[Person]:
    """People of a JSON file: a list of {"name", "said": [{"name", "text", "at", "session"}], "asked": [{"text", "kind",
    "answers": [names]}]}."""
    return [
        Person(
            one["name"],
            tuple(Said(s["name"], s["text"], s["session"], datetime.fromisoformat(s["at"])) for s in one["said"]),
            tuple(Asked(a["text"], a["kind"], frozenset(a["answers"])) for a in one["asked"]),
        )
        for one in json.loads(file.read_text(encoding="utf-8"))
    ]


def languages() -> dict[str, tuple[Person, str]]:
    """For each family of scripts somebody who writes in it, and a question that they have said nothing about."""
    told = yaml.safe_load((HERE / "recall_languages.yaml").read_text(encoding="utf-8"))
    return {name: (_speaker(name, one), one["unrelated"]) for name, one in told.items()}


def unrelated() -> list[str]:
    """Questions that nobody's memories answer."""
    return (HERE / "recall_unrelated.txt").read_text(encoding="utf-8").splitlines()


def facts() -> list[tuple[str, str]]:
    """Facts that have nothing to do with each other, each with a question that it alone answers."""
    lines = (HERE / "recall_facts.txt").read_text(encoding="utf-8").splitlines()
    return [(fact, question) for fact, _, question in (line.partition("|") for line in lines)]


def asking() -> list[tuple[str, str, str]]:
    """Sentences in scripts that the local model cannot read, each with a question it answers and one it does not."""
    lines = (HERE / "recall_asking.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("|")) for line in lines if not line.startswith("#")]  # type: ignore[misc]  # of three


def _chats(sessions: list[Mapping[str, Any]]) -> tuple[Said, ...]:
    return tuple(
        Said(
            name,
            text,
            f"session {number}",
            datetime.fromisoformat(session["at"]).replace(tzinfo=UTC) + timedelta(minutes=3 * place),
        )
        for number, session in enumerate(sessions)
        for place, (name, text) in enumerate(session["said"].items())
    )


def _speaker(name: str, told: Mapping[str, Any]) -> Person:
    """Somebody who said each thing on a day of its own."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    said = (Said(key, text, key, start + timedelta(days=day)) for day, (key, text) in enumerate(told["said"].items()))
    asked = (Asked(text, "single", frozenset([key])) for text, key in told["asked"].items())
    return Person(name, tuple(said), tuple(asked))


def _questions(kinds: Mapping[str, Mapping[str, list[str]]]) -> tuple[Asked, ...]:
    return tuple(
        Asked(text, kind, frozenset(names)) for kind, questions in kinds.items() for text, names in questions.items()
    )


def _conversation(one: Mapping[str, Any]) -> Person:
    told = one["conversation"]
    sessions = sorted(int(key.split("_")[1]) for key in told if re.fullmatch(r"session_\d+", key))
    said = tuple(
        Said(turn["dia_id"], _line(turn), f"session {number}", at + timedelta(seconds=30 * place))
        for number in sessions
        for at in [datetime.strptime(told[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)]
        for place, turn in enumerate(told[f"session_{number}"])
    )
    names = {one.name for one in said}
    asked = (
        Asked(
            question["question"],
            LOCOMO_KINDS[question["category"]],
            # Some evidence fields hold several ids in one text, and a few name turns that are not there.
            frozenset(re.findall(r"D\d+:\d+", " ".join(question.get("evidence", [])))) & names,
        )
        for question in one["qa"]
    )
    return Person(one["sample_id"], said, tuple(question for question in asked if question.answers))


def _line(turn: Mapping[str, Any]) -> str:
    photo = f" [photo: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"{turn['speaker']}: {turn['text']}{photo}"
