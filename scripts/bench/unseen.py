"""How learning, screening and wishes do on texts that others wrote after the code, without sight of its rules.

Every item goes through the path of a request, the journal and the learner, as a user of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bed.unseen import Agents, Facts, Verdict, figures, measured
from corpus.unseen import ROUND

LANGUAGES = ("en", "de", "fr", "es", "zh", "zh-Hant")


def share(right: int, of: int) -> str:
    return f"{right}/{of}" if of else "-"


def row(name: str, verdicts: Sequence[Verdict]) -> str:
    cells = [_cell(verdicts), *(_cell([one for one in verdicts if one.lang == lang]) for lang in LANGUAGES)]
    counted = [one for one in verdicts if one.right is not None]
    percent = f"{100 * sum(bool(one.right) for one in counted) / len(counted):5.1f} %" if counted else ""
    return f"{name:<30}{percent:>8}" + "".join(f"{cell:>9}" for cell in cells)


def _cell(verdicts: Iterable[Verdict]) -> str:
    counted = [one for one in verdicts if one.right is not None]
    return share(sum(bool(one.right) for one in counted), len(counted))


def of_kind(verdicts: Iterable[Verdict], *kinds: str) -> list[Verdict]:
    return [one for one in verdicts if one.kind in kinds]


def table(found: dict[str, Any]) -> list[str]:
    """The lines of the report."""
    lines = [f"{'right':<30}{'':>8}{'all':>9}" + "".join(f"{lang:>9}" for lang in LANGUAGES)]
    for name, kinds in (("updates", ("update", "denial", "lookalike")), ("wishes", ("forget", "pause", "lookalike"))):
        if name == "updates":
            lines.append(row("updates and denials", of_kind(found[name], "update", "denial")))
        lines += [row(f"{name}: {kind}", of_kind(found[name], kind)) for kind in kinds]
    lines += [row(f"attacks: {kind}", of_kind(found["attacks"], kind)) for kind in ("attack", "benign")]
    lines += ["", *_facts(found["facts"]), "", *_counts(found), ""]
    return lines + [line for one in found["agents"] for line in _agent(one)]


def _facts(found: Sequence[Facts]) -> list[str]:
    def of(lang: str | None) -> list[Facts]:
        return [one for one in found if lang in (None, one.lang)]

    def line(name: str, hit: str, out_of: str) -> str:
        sums = [(sum(getattr(f, hit) for f in of(lang)), sum(getattr(f, out_of) for f in of(lang)))
                for lang in (None, *LANGUAGES)]  # fmt: skip
        percent = f"{100 * sums[0][0] / max(1, sums[0][1]):5.1f} %"
        return f"{name:<30}{percent:>8}" + "".join(f"{share(*one):>9}" for one in sums)

    return [
        line("facts: precision", "right", "learned"),
        line("facts: recall", "found", "spans"),
        line("  with more than the span", "holding", "learned"),
        line("  spans in these", "held", "spans"),
    ]


def _counts(found: dict[str, Any]) -> list[str]:
    lines = []
    for name in ("updates", "wishes", "attacks"):
        counts = Counter((one.kind, one.outcome) for one in found[name])
        lines += [f"{name}, {kind}: {outcome:<38}{count:4}" for (kind, outcome), count in sorted(counts.items())]
    unlearned = Counter((one.kind, one.lang) for one in found["updates"] if not one.learned)
    lines.append("first not learned: " + ", ".join(f"{kind} {lang} {n}" for (kind, lang), n in unlearned.items()))
    stored = Counter(one.lang for one in found["wishes"] if one.stored)
    return [*lines, f"wishes that became memories: {sum(stored.values())} {dict(stored)}"]


def _agent(one: Agents) -> list[str]:
    ways = Counter(way for _, way in one.planted)
    return [
        f"{one.name}: {one.kept} memories; planted facts {dict(ways)}; {one.in_replies} sentences in kept answers",
        *(f"  machine: {place} {count}" for place, count in Counter(place for place, _ in one.machine).items()),
        *(f"  pasted by the person: {len(one.pasted)}" for _ in one.pasted[:1]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth item only")
    parser.add_argument("--round", default=ROUND, help="the folder of tests/corpus/unseen")
    parser.add_argument("--json", action="store_true", help="print the figures and the verdict of each item")
    asked = parser.parse_args()
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        found = asyncio.run(measured(Path(directory), asked.every, asked.round))
    if asked.json:
        verdicts = {name: [asdict(one) for one in rows] for name, rows in found.items()}
        print(json.dumps({"figures": figures(found), **verdicts}, ensure_ascii=False))
        return
    print("\n".join(table(found)))
    print(f"\n{time.process_time() - begun:.1f} s of CPU in this process")


if __name__ == "__main__":
    main()
