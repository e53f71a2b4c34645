"""The benchmark of precision reads a copy of its fixtures, and counts what should not have come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bed.benches import printed_by

OF_KIND = {"user_id": "test-user", "type": "entity", "aliases": [], "why_it_matters": "", "pinned": False}
STATE = {"superseded_by": None, "resolved_at": None, "created_at": "2026-09-01T00:00:00Z"}


def belief(name: str, content: str, **other: Any) -> dict[str, Any]:
    return {**OF_KIND, **STATE, "_id": name, "canonical_name": name, "content": content, "scope": ["code"], **other}


BELIEFS = [
    belief("oven", "The oven of the bakery is heated with beech."),
    belief("ferry", "The ferry to Lewis leaves at dawn.", scope=["travel"]),
    belief("old", "The oven of the bakery is heated with gas.", superseded_by="oven"),
    belief("pinned", "The bakery has an oven from Turin.", pinned=True),
]
CASES = [
    {"query": "How is the oven of the bakery heated?", "expect": {"relevantBeliefs": {"shouldOnlyInclude": ["oven"]}}},
    {"query": "When does the ferry to Lewis leave?", "expect": {"relevantBeliefs": {"shouldOnlyInclude": []}}},
    {"query": "oven of the bakery", "expect": {"relevantBeliefs": {"shouldOnlyInclude": []}}},
]
NEW = {"createBeliefAtTurn": belief("beam", "A beam of the attic is of larch.")}


def test_what_is_wanted_and_what_is_not_are_counted(tmp_path: Path) -> None:
    cases = [{"caseId": str(number), "scope": ["code"], **case} for number, case in enumerate(CASES)]
    told = {"scope": ["code"], "userMessage": "Of which wood is the beam of the attic?"}
    none, beam = ({"relevantBeliefs": {"shouldOnlyInclude": found}} for found in ([], ["beam"]))
    turns = [{"turnIndex": 0, "expect": none, **told, **NEW}, {"turnIndex": 1, "expect": beam, **told}]
    (tmp_path / "fixtures").mkdir()
    for name, content in (
        ("beliefs.seed", BELIEFS),
        ("retrieval.cases", cases),
        ("session-retrieval.cases", [{"caseId": "session", "turns": turns}]),
    ):
        (tmp_path / "fixtures" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    single, session = json.loads(printed_by("precision", str(tmp_path), "--json")).values()
    assert [one["found"] for one in single["each"]] == [["oven"], [], ["oven"]]
    # Nothing wanted and nothing found says nothing; something found where nothing is wanted is wrong.
    assert [one["precision"] for one in single["each"]] == [1.0, None, 0.0]
    assert {name: single[name] for name in ("count", "precision", "recall", "exact")} == {
        "count": 3,
        "precision": 0.5,
        "recall": 1.0,
        "exact": 2,
    }
    assert [one["found"] for one in session["each"]] == [[], ["beam"]]
