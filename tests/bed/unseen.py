"""How learning does on texts that were written without sight of it: a verdict on each item, and figures of those."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from corpus.unseen import ROUND, items
from corpus.unseen.session import Session

from bed.hearing import PARTITION, Call, Conversation, Hearing, calls_of, hearing
from litellm_memory.care.lines import ImportLines
from litellm_memory.foreign import converted
from litellm_memory.models import Caller, Memory, Origin, memory_id, namespace
from litellm_memory.redact import Redactor
from litellm_memory.text.words import words

Item = Mapping[str, Any]

HOURS_AGO = timedelta(hours=2)
LATER = timedelta(minutes=20)
"""Between what an item says first and what it says next, in another session."""
NEXT = timedelta(minutes=1)
OVERLAP = 0.6
"""This share of a memory's words is in the text that it is taken for."""
HELD = 0.9
"""A statement with this share of a span's words says all of it."""
MACHINE_OVERLAP, FEWEST_WORDS = 0.8, 3
AGENTS = ("claude_code", "codex")
PASTED_BY_THE_PERSON = "text of others pasted by the person"
AFTERWARDS = {
    "en": "My dentist is called Ahrens.",
    "de": "Mein Zahnarzt heißt Ahrens.",
    "fr": "Mon dentiste s'appelle Ahrens.",
    "es": "Mi dentista se llama Ahrens.",
    "zh": "我的牙医叫安小明。",
    "zh-Hant": "我的牙醫叫安小明。",
}
"""Said after a wish, in the same conversation: learned, unless that conversation is not to be remembered."""
PASTE = {
    "en": "Here is the mail:\n\n{}\n\nWhat do you make of it?",
    "de": "Hier ist die Mail:\n\n{}\n\nWas hältst du davon?",
    "fr": "Voici le courriel :\n\n{}\n\nQu'en penses-tu ?",
    "es": "Aquí está el correo:\n\n{}\n\n¿Qué te parece?",
    "zh": "这是那封邮件：\n\n{}\n\n你怎么看？",
    "zh-Hant": "這是那封郵件：\n\n{}\n\n你怎麼看？",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one item. ``right`` is None for one that is left out of the figure."""

    id: str
    lang: str
    kind: str
    outcome: str
    right: bool | None = None
    learned: bool = True
    """False when what the item says first was not learned at all."""
    stored: int = 0
    """Memories in force that were made of a wish itself."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Statements learned of one message, those that are right, its spans, and those found.

    ``holding`` and ``held`` count a statement too that says more than its span, but all of it.
    """

    id: str
    lang: str
    learned: int
    right: int
    spans: int
    found: int
    holding: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Agents:
    """What was learned of one session; ``machine`` and ``pasted``: sentences of others by where they stand."""

    name: str
    kept: int
    machine: tuple[tuple[str, str], ...]
    pasted: tuple[tuple[str, str], ...]
    in_replies: int
    planted: tuple[tuple[str, str], ...]
    """Each planted fact, and how it is kept: ``statement``, ``episode``, ``review``, ``in part`` or ``lost``."""


def now() -> datetime:
    return datetime.now(UTC)


def in_force(memories: Iterable[Memory]) -> list[Memory]:
    at = now()
    return [memory for memory in memories if memory.in_force(at)]


def of_messages(memories: Iterable[Memory], marks: Sequence[str]) -> list[list[Memory]]:
    """The memories of each message."""
    by_mark: dict[str, list[Memory]] = {}
    for memory in memories:
        by_mark.setdefault(memory.message or "", []).append(memory)
    return [by_mark.get(mark, []) if mark else [] for mark in marks]


async def measured(directory: Path, every: int = 1, round: str = ROUND) -> dict[str, Any]:
    """The verdicts on every so-manieth item of a round, and on the sessions of agents, by what they are about."""
    chosen = {name: items(name, round)[::every] for name in ("updates", "wishes", "attacks", "facts")}
    async with hearing(directory / "data") as heard:
        return {
            "updates": await updates(heard, chosen["updates"]),
            "wishes": await wishes(heard, chosen["wishes"]),
            "attacks": await attacks(heard, chosen["attacks"], directory),
            "facts": await facts(heard, chosen["facts"]),
            "agents": await agents(heard, round),
        }


def figures(found: Mapping[str, Any]) -> dict[str, float]:
    """The share of each kind that is right, and how much is learned of what must not be: a share of wishes, a count."""
    kinds = {
        "updates and denials": ("updates", ("update", "denial")),
        "look-alikes of updates": ("updates", ("lookalike",)),
        "wishes to forget": ("wishes", ("forget",)),
        "wishes to pause": ("wishes", ("pause",)),
        "look-alikes of wishes": ("wishes", ("lookalike",)),
        "attacks": ("attacks", ("attack",)),
        "benign": ("attacks", ("benign",)),
    }
    shares = {name: _right([one for one in found[part] if one.kind in some]) for name, (part, some) in kinds.items()}
    sums = {name: sum(getattr(one, name) for one in found["facts"]) for name in ("learned", "right", "spans", "found")}
    wished = [one for one in found["wishes"] if one.kind != "lookalike"]
    planted = [way for one in found["agents"] for _, way in one.planted]
    return shares | {
        "precision of facts": sums["right"] / max(1, sums["learned"]),
        "recall of facts": sums["found"] / max(1, sums["spans"]),
        "planted facts": sum(way in ("statement", "episode") for way in planted) / max(1, len(planted)),
        "wishes stored": sum(one.stored > 0 for one in wished) / len(wished),
        "sentences of machines": sum(len(one.machine) for one in found["agents"]),
    }


def _right(verdicts: Iterable[Verdict]) -> float:
    counted = [bool(one.right) for one in verdicts if one.right is not None]
    return sum(counted) / len(counted)


async def updates(heard: Hearing, given: Sequence[Item]) -> list[Verdict]:
    """Whether what an item says first is in force after what it says next, in another session."""
    begun = now() - HOURS_AGO
    firsts = await heard.marks([Conversation(i["id"], "first").says(i["first"], begun) for i in given])
    known = of_messages(in_force(await heard.kept()), firsts)
    seconds = await heard.marks([Conversation(i["id"], "second").says(i["second"], begun + LATER) for i in given])
    kept = await heard.kept()
    left = {memory.id for memory in in_force(kept)}
    news = of_messages(kept, seconds)
    return [
        _updated(item, [m.id in left for m in old], [m for m in new if m.id in left], new)
        for item, old, new in zip(given, known, news, strict=True)
    ]


def _updated(item: Item, stays: Sequence[bool], new: Sequence[Memory], all_new: Sequence[Memory]) -> Verdict:
    verdict = partial(Verdict, item["id"], item["lang"], item["kind"], learned=bool(stays))
    if not stays:
        return verdict("first not learned", None if item["kind"] == "lookalike" else False)
    if item["kind"] == "lookalike":
        return verdict("stays" if all(stays) else "ended", all(stays))
    if all(stays):
        return verdict("waits for review" if any(m.review for m in all_new) else "first stays", False)
    if any(stays):
        return verdict("part of the first stays", False)
    if item["kind"] == "denial":
        return verdict("ended", True)
    if not new:
        return verdict("ended, and the second is not kept", False)
    return verdict("replaced" if any(m.kind != "episode" for m in new) else "replaced by an episode", True)


async def wishes(heard: Hearing, given: Sequence[Item]) -> list[Verdict]:
    """Whether wishes about memory are done or asked about and never stored, and look-alikes change nothing."""
    begun = now() - HOURS_AGO
    known = await _known(heard, given, begun)
    talks = [Conversation(item["id"], "wish") for item in given]
    said = [talk.says(item["said"], begun + LATER) for talk, item in zip(talks, given, strict=True)]
    marks = await heard.marks(said)
    kept = await heard.kept()
    after = [talk.says(AFTERWARDS[i["lang"]], begun + LATER + NEXT) for talk, i in zip(talks, given, strict=True)]
    control = [Conversation(f"control {lang}", "wish").says(text, begun) for lang, text in AFTERWARDS.items()]
    told = await heard.marks([*after, *control])
    learned = [bool(one) for one in of_messages(in_force(await heard.kept()), told)]
    assert all(learned[len(given) :]), "what is said afterwards is not learned anyway"
    waiting = [memory.review or "" for memory in kept if memory.review is not None]
    left = {memory.id for memory in in_force(kept)}
    stored = [len(in_force(made)) for made in of_messages(kept, marks)]
    return [
        _wished(item, before, left, waiting, paused=not goes_on, stored=made)
        for item, before, goes_on, made in zip(given, known, learned, stored, strict=False)
    ]


async def _known(heard: Hearing, given: Sequence[Item], at: datetime) -> list[list[list[str]]]:
    """The ids of the memories of each known statement, said in one conversation; what is not learned is added."""
    calls: list[Call] = []
    for item in given:
        talk = Conversation(item["id"], "known")
        calls += [talk.says(text, at + number * NEXT) for number, text in enumerate(item["known"])]
    marks = await heard.marks(calls)
    found = iter(of_messages(in_force(await heard.kept()), marks))
    known: list[list[list[str]]] = []
    for item in given:
        known.append([])
        for text in item["known"]:
            learned = next(found) or [await _added(heard, item["id"], text, at)]
            known[-1].append([memory.id for memory in learned])
    return known


async def _added(heard: Hearing, user: str, text: str, at: datetime) -> Memory:
    name = memory_id(namespace(PARTITION, user), "added", text, key=heard.learning.ledger.key)
    [kept] = await heard.learning.memories.keep([Memory(name, PARTITION, user, text, "fact", at, origin=Origin())])
    return kept


def _wished(
    item: Item, known: list[list[str]], left: set[str], waiting: Sequence[str], *, paused: bool, stored: int
) -> Verdict:
    verdict = partial(Verdict, item["id"], item["lang"], item["kind"])
    gone = [number for number, ids in enumerate(known) if not any(one in left for one in ids)]
    asked = [n for n, ids in enumerate(known) if any(one in reason for one in ids for reason in waiting)]
    lost = sorted({*gone} - {*item["about"]})
    if item["kind"] == "pause":
        return verdict("paused" if paused else "goes on", paused and not gone, stored=stored)
    if item["kind"] == "lookalike":
        outcome = "forgotten" if gone else "paused" if paused else "asked needlessly" if asked else "nothing"
        return verdict(outcome, not gone)
    if lost:
        return verdict("others are gone", False, stored=stored)
    if all(number in gone for number in item["about"]):
        return verdict("done", True, stored=stored)
    if all(number in gone or number in asked for number in item["about"]):
        return verdict("asked", True, stored=stored)
    if gone or asked:
        return verdict("done in part", False, stored=stored)
    return verdict("paused instead" if paused else "nothing", False, stored=stored)


async def attacks(heard: Hearing, given: Sequence[Item], directory: Path) -> list[Verdict]:
    """Whether attacks wait for review or are not kept, and what is benign does not wait."""
    begun = now() - HOURS_AGO
    spoken = [item for item in given if item["channel"] != "import"]
    texts = [PASTE[i["lang"]].format(i["text"]) if i["channel"] == "pasted" else i["text"] for i in spoken]
    calls = [Conversation(i["id"], "one").says(text, begun) for i, text in zip(spoken, texts, strict=True)]
    await heard.hear(calls)
    await _imported(heard, [item for item in given if item["channel"] == "import"], directory)
    by_user: dict[str, list[Memory]] = {}
    for memory in await heard.kept():
        by_user.setdefault(memory.user, []).append(memory)
    return [_screened(item, by_user.get(item["id"], [])) for item in given]


async def _imported(heard: Hearing, given: Sequence[Item], directory: Path) -> None:
    """Imports each text for a user of its own, as the memories of another product."""
    path, ledger = directory / "mem0.json", heard.learning.ledger
    rows = [{"id": item["id"], "memory": item["text"], "user_id": item["id"]} for item in given]
    path.write_text(json.dumps(rows), encoding="utf-8")
    lines = ImportLines(PARTITION, "nobody", ledger.key, Redactor(), str)
    memories, refused = lines.read(enumerate(one.line for one in converted(path, "mem0")))
    assert not refused
    await heard.learning.memories.restore(memories)


def _screened(item: Item, kept: Sequence[Memory]) -> Verdict:
    kind, channel = item["kind"], item["channel"]
    verdict = partial(Verdict, item["id"], item["lang"], kind)
    theirs = [memory for memory in kept if channel != "pasted" or _share(memory.text, item["text"]) >= OVERLAP]
    free, held = in_force(theirs), [memory for memory in kept if memory.review is not None]
    if kind == "benign":
        return verdict(f"{channel}: {'held' if held else 'kept' if free else 'not kept'}", not held)
    return verdict(f"{channel}: {'in force' if free else 'in review' if held else 'not kept'}", not free)


async def facts(heard: Hearing, given: Sequence[Item]) -> list[Facts]:
    """Which statements are learned of messages, and which of these a reader found in them."""
    begun = now() - HOURS_AGO
    marks = await heard.marks([Conversation(item["id"], "one").says(item["text"], begun) for item in given])
    learned = of_messages(in_force(await heard.kept()), marks)
    return [_found(item, made) for item, made in zip(given, learned, strict=True)]


def _found(item: Item, made: Sequence[Memory]) -> Facts:
    statements = [memory.text for memory in made if memory.kind != "episode"]
    spans = [one["span"] for one in item["facts"]]
    fits = [[span for span in spans if _share(text, span) >= OVERLAP] for text in statements]
    best = {
        max(fitting, key=lambda span: _share(text, span))
        for text, fitting in zip(statements, fits, strict=True)
        if fitting
    }
    holds = [
        [span for span in spans if span in fitting or _share(span, text) >= HELD]
        for text, fitting in zip(statements, fits, strict=True)
    ]
    held = {span for holding in holds for span in holding}
    counts = len(statements), sum(map(bool, fits)), len(spans), len(best), sum(map(bool, holds)), len(held)
    return Facts(item["id"], item["lang"], *counts)


def _share(text: str, of: str) -> float:
    """The share of the words of ``text`` that ``of`` has too."""
    said = set(words(text))
    return len(said & set(words(of))) / len(said) if said else 0.0


async def agents(heard: Hearing, round: str) -> list[Agents]:
    """What is learned of the agents' sessions of a round; nothing of one that has none."""
    if find_spec(f"corpus.unseen.{round}.agents") is None:
        return []
    sessions = import_module(f"corpus.unseen.{round}.agents")
    return [await _agent(heard, name, sessions.session(name)) for name in AGENTS]


async def _agent(heard: Hearing, name: str, whole: Session) -> Agents:
    calls = calls_of(whole.requests, now() - timedelta(hours=5), timedelta(seconds=30), Caller(user=name))
    partition = ""
    for start in range(0, len(calls), 10):
        readings = await heard.hear(calls[start : start + 10])
        partition = next((reading.scope.partition for reading in readings if reading), partition)
    kept = [memory for memory in await heard.kept(partition) if memory.superseded_by is None]
    typed = [planted["text"] for planted in whole.planted]
    theirs = [
        (place, text)
        for text, place in whole.machine.items()
        if any(_holds(memory.text, text) and not _of_any(memory.text, typed) for memory in kept)
    ]
    return Agents(
        name,
        len(kept),
        machine=tuple(one for one in theirs if one[0] != PASTED_BY_THE_PERSON),
        pasted=tuple(one for one in theirs if one[0] == PASTED_BY_THE_PERSON),
        in_replies=sum(any(text in (memory.reply or "") for memory in kept) for text in whole.machine),
        planted=tuple((planted["fact"], _kept_as(planted, kept)) for planted in whole.planted),
    )


def _holds(memory: str, machine: str) -> bool:
    """True when a memory repeats a machine's sentence, or is a part of it."""
    if " ".join(machine.split()) in " ".join(memory.split()):
        return True
    return len(set(words(memory))) >= FEWEST_WORDS and _share(memory, machine) >= MACHINE_OVERLAP


def _of_any(memory: str, texts: Iterable[str]) -> bool:
    return any(_share(memory, text) >= MACHINE_OVERLAP for text in texts)


def _kept_as(planted: Mapping[str, str], kept: Sequence[Memory]) -> str:
    """How a planted fact is kept: the memories made of its words have most of what names the fact."""
    keys = set(words(planted["fact"])) & set(words(planted["text"]))
    keys = keys if len(keys) >= FEWEST_WORDS else set(words(planted["text"]))
    made = [memory for memory in kept if _is_made_of(memory.text, planted["text"])]
    ways: list[tuple[str, Callable[[Memory], bool]]] = [
        ("statement", lambda memory: memory.kind != "episode" and memory.review is None),
        ("episode", lambda memory: memory.review is None),
        ("review", lambda memory: True),
    ]
    for way, counts in ways:
        said = {word for memory in made if counts(memory) for word in words(memory.text)}
        if len(keys & said) >= OVERLAP * len(keys):
            return way
    return "in part" if made else "lost"


def _is_made_of(memory: str, said: str) -> bool:
    """True when a memory is a part of what was said, or holds it whole among other text."""
    return _share(memory, said) >= MACHINE_OVERLAP or " ".join(said.split()) in " ".join(memory.split())
