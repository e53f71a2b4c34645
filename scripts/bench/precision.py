"""PrecisionMemBench (github.com/tenurehq/precisionmembench): the right memory and nothing else.

Beliefs become memories and queries are recalled as for a block, through an engine in this process. The fixtures are
read from a copy of its repository. What its own harness does for every provider is done here in the same way: pinned
beliefs are given apart, and the participants of a relation that was found are added.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from litellm_memory.engine import Engine
from litellm_memory.llm import count_tokens
from litellm_memory.memories.query import Query
from litellm_memory.models import Memory, MemoryKind, Scope, Superseded, memory_id, namespace
from litellm_memory.settings import Settings

Belief = Mapping[str, Any]

USER, PARTITION = "test-user", "default"
MOST: Final = 20
"""The harness's default for `maxBeliefs`."""
KINDS: Final[Mapping[str, MemoryKind]] = {
    "preference": "preference",
    "decision": "decision",
    # Open questions are no facts yet. The harness lists them apart, so a request asks for the other kinds.
    "open_question": "episode",
}
ASKED_FOR: Final[frozenset[MemoryKind]] = frozenset({"fact", "preference", "decision"})


@dataclass(frozen=True, slots=True)
class Case:
    """One query, the beliefs that it should find, and the one that is added afterwards."""

    name: str
    user: str
    scopes: tuple[str, ...]
    query: str
    most: int
    wanted: frozenset[str]
    added_after: Belief | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a case found. ``precision`` is None where nothing was wanted and nothing came."""

    case: str
    query: str
    wanted: tuple[str, ...]
    found: tuple[str, ...]
    precision: float | None
    recall: float | None


class Beliefs:
    """The beliefs as memories of an engine, each scope a project."""

    def __init__(self, engine: Engine, beliefs: Sequence[Belief]) -> None:
        self._engine = engine
        self._beliefs = {one["_id"]: one for one in beliefs}
        self._ids = {self._id(one): one["_id"] for one in beliefs}

    def _id(self, belief: Belief) -> str:
        return memory_id(namespace(PARTITION, belief["user_id"]), belief["_id"], key=self._engine.ledger.key)

    async def keep(self) -> None:
        """Keeps all of them."""
        await self._engine.memories.keep([self._memory(one) for one in self._beliefs.values()])

    async def add(self, belief: Belief) -> None:
        """Keeps one more."""
        self._beliefs[belief["_id"]] = belief
        self._ids[self._id(belief)] = belief["_id"]
        await self._engine.memories.keep([self._memory(belief)])

    async def add_aliases(self, belief: str, aliases: Sequence[str]) -> None:
        """Corrects one: it has these aliases too."""
        known = self._beliefs[belief]
        corrected = self._beliefs[belief] = {**known, "aliases": [*known["aliases"], *aliases]}
        text = self._memory(corrected).text
        await self._engine.memories.correct(PARTITION, self._id(known), partial(replace, text=text))

    def _memory(self, belief: Belief) -> Memory:
        replaced = belief["superseded_by"]
        resolved = belief["resolved_at"]
        return Memory(
            self._id(belief),
            PARTITION,
            belief["user_id"],
            # As the harness writes it for every provider.
            " ".join([belief["canonical_name"], *belief["aliases"], belief["content"], belief["why_it_matters"]]),
            KINDS.get(belief["type"], "fact"),
            datetime.fromisoformat(belief["created_at"]),
            project=belief["scope"][0],
            superseded_by=Superseded(self._id(self._beliefs[replaced]), "replaced") if replaced else None,
            valid_until=datetime.fromisoformat(resolved) if resolved else None,
        )

    async def find(self, case: Case) -> Found:
        """What a case finds beside the pinned beliefs."""
        pinned = self._pinned(case)
        found: dict[str, None] = {}
        if case.query.strip() and case.most:
            for scope in case.scopes:
                found |= dict.fromkeys(await self._recalled(case, scope))
        participants = [one for belief in found for one in self._beliefs[belief].get("participants") or ()]
        found |= {one: None for one in participants if self._is_in_scope(one, case)}
        relevant = [one for one in found if one not in pinned][: max(0, case.most - len(pinned))]
        hits = len(case.wanted & set(relevant))
        precision = hits / len(relevant) if relevant else 0.0
        return Found(
            case.name,
            case.query,
            tuple(sorted(case.wanted)),
            tuple(relevant),
            precision if relevant or case.wanted else None,
            hits / len(case.wanted) if case.wanted else None,
        )

    async def _recalled(self, case: Case, scope: str) -> list[str]:
        settings = self._engine.settings.recall
        query = Query(
            case.query,
            Scope(PARTITION, case.user, project=scope),
            case.most,
            settings.min_score,
            tokens=settings.token_budget,
            kinds=ASKED_FOR,
            standing_instructions=False,
            strict_projects=True,
        )
        found = await self._engine.recall(query, now=datetime.now(UTC))
        return [self._ids[item.memory.id] for item in found.recalled]

    def _pinned(self, case: Case) -> list[str]:
        return [
            name
            for name, one in self._beliefs.items()
            if one["pinned"]
            and one["type"] != "open_question"
            and not one["superseded_by"]
            and not one["resolved_at"]
            and self._is_in_scope(name, case)
        ]

    def _is_in_scope(self, belief: str, case: Case) -> bool:
        known = self._beliefs[belief]
        is_asked_for = KINDS.get(known["type"], "fact") in ASKED_FOR
        return is_asked_for and known["user_id"] == case.user and not set(case.scopes).isdisjoint(known["scope"])


def cases_in(told: Sequence[Mapping[str, Any]], beliefs: Sequence[Belief]) -> list[Case]:
    """The cases of one query each."""
    pinned = {one["_id"] for one in beliefs if one["pinned"]}
    return [
        Case(
            one["caseId"],
            one.get("userId", USER),
            tuple(one["scope"]),
            one["query"],
            one.get("budget", {}).get("maxBeliefs", MOST),
            _wanted(one["expect"]) - (frozenset() if _only(one["expect"]) else pinned),
        )
        for one in told
    ]


def turns_in(told: Sequence[Mapping[str, Any]]) -> list[tuple[Case, Mapping[str, Any] | None]]:
    """The turns of sessions, each with what it changes afterwards."""
    return [
        (
            Case(
                f"{one['caseId']} {turn['turnIndex']}",
                USER,
                tuple(turn["scope"]),
                turn["userMessage"],
                MOST,
                _wanted(turn["expect"]),
                turn.get("createBeliefAtTurn"),
            ),
            turn.get("updateBeliefAtTurn"),
        )
        for one in told
        for turn in one["turns"]
    ]


def _only(expected: Mapping[str, Any]) -> bool:
    return "shouldOnlyInclude" in expected.get("relevantBeliefs", {})


def _wanted(expected: Mapping[str, Any]) -> frozenset[str]:
    relevant = expected.get("relevantBeliefs", {})
    return frozenset(relevant["shouldOnlyInclude"] if _only(expected) else relevant.get("mustInclude", ()))


async def _run(fixtures: Path) -> dict[str, list[Found]]:
    def read(name: str) -> Any:
        return json.loads((fixtures / name).read_text(encoding="utf-8"))

    told = read("beliefs.seed.json")
    with tempfile.TemporaryDirectory() as data_dir:
        recall = {"deadline_ms": 10_000, "process": False}
        engine = Engine(Settings.model_validate({"data_dir": data_dir, "recall": recall}), count=count_tokens)
        await engine.open_data()
        try:
            beliefs = Beliefs(engine, told)
            await beliefs.keep()
            single = [await beliefs.find(case) for case in cases_in(read("retrieval.cases.json"), told)]
            session = []
            for case, update in turns_in(read("session-retrieval.cases.json")):
                session.append(await beliefs.find(case))
                if case.added_after is not None:
                    await beliefs.add(case.added_after)
                if update is not None:
                    await beliefs.add_aliases(update["beliefId"], update["addAliases"])
        finally:
            await engine.aclose()
    return {"cases": single, "turns of a session": session}


def summary(found: Sequence[Found]) -> dict[str, float | int | None]:
    """Mean precision and recall over those that have one, and how many found exactly what they should."""
    return {
        "count": len(found),
        "precision": _mean([one.precision for one in found if one.precision is not None]),
        "recall": _mean([one.recall for one in found if one.recall is not None]),
        "exact": sum(set(one.found) == set(one.wanted) for one in found),
    }


def _mean(shares: Sequence[float]) -> float | None:
    return round(statistics.fmean(shares), 3) if shares else None


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("copy", type=Path, help="A copy of its repository, with its folder `fixtures`.")
    parser.add_argument("--each", action="store_true", help="Also print what found something else than it should.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    result = asyncio.run(_run(arguments.copy / "fixtures"))
    if arguments.json:
        each = {name: [asdict(one) for one in found] for name, found in result.items()}
        print(json.dumps({name: {**summary(result[name]), "each": each[name]} for name in result}, indent=2))
        return
    print(f"{'':20} {'count':>5} {'precision':>9} {'recall':>6} {'exact':>5}")
    for name, found in result.items():
        print("{:20} {:>5} {:>9} {:>6} {:>5}".format(name, *summary(found).values()))
    for one in (one for found in result.values() for one in found if arguments.each):
        if set(one.found) != set(one.wanted):
            print(f"\n{one.case}: {one.query[:100]!r}\n  wanted {list(one.wanted)}\n  found  {list(one.found)}")


if __name__ == "__main__":
    main()
