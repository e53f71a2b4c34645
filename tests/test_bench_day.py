"""The benchmark of a day of mixed talk counts what is about the subject of a question."""

from __future__ import annotations

import json
from pathlib import Path

from bed.benches import printed_by

SAID = (
    ("cat", "Our cat is called Bobina and she is fourteen years old."),
    ("oven", "The oven of my bakery is heated with beech wood."),
    ("cat", "what do I feed an old cat"),
)
ASKED = {"topic": "cat", "question": "What is our cat called?", "evidence": [1]}
UNRELATED = "How do I sort a list in Python?"


def test_a_day_is_read_as_learned_and_as_said(tmp_path: Path) -> None:
    files = {
        "day": [{"n": n, "topic": topic, "text": text} for n, (topic, text) in enumerate(SAID, 1)],
        "day_questions": [ASKED],
        "day_unrelated": [{"question": UNRELATED}],
    }
    for name, rows in files.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = json.loads(printed_by("day", str(tmp_path), "--json"))
    assert found.keys() == {"as learned", "as said"}
    for name, row in found.items():
        assert {key: row[key] for key in ("questions", "on_topic", "evidence", "unrelated", "given_nothing")} == {
            "questions": 1,
            "on_topic": 100.0,
            "evidence": 100.0,
            "unrelated": 1,
            "given_nothing": 100.0,
        }, name
        assert row["entries"] >= 1
    assert found["as said"]["memories"] == len(SAID) > found["as learned"]["memories"]
