"""The board and the alert rules ask for metrics and labels that there are, and say what each alert means."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_memory.metrics import COUNTED, SEEN

DEPLOY = Path(__file__).parent.parent / "deploy"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def names() -> Iterator[str]:
    """Every name under which Prometheus knows a metric of memory."""
    for metric in (*COUNTED, *SEEN):
        for described in metric.describe():
            yield from (f"{described.name}{suffix}" for suffix in SUFFIXES[described.type])


def labels() -> set[str]:
    return {"le"} | {label for metric in (*COUNTED, *SEEN) for label in metric._labelnames}


RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-board.json").read_text())
QUERIES = [rule["expr"] for rule in RULES] + [panel["targets"][0]["expr"] for panel in BOARD["panels"]]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_metrics_and_labels_that_there_are(query: str) -> None:
    assert set(re.findall(r"litellm_memory_\w+", query)) <= set(names())
    grouped = re.findall(r"by \(([^)]*)\)", query)
    named = {label.strip() for group in grouped for label in group.split(",")}
    assert named | set(re.findall(r"[{,]\s*(\w+)\s*(?:=|!~|=~)", query)) <= labels()


def test_every_metric_is_on_the_board_or_watched() -> None:
    asked = " ".join(QUERIES)
    described = [one.name for metric in (*COUNTED, *SEEN) for one in metric.describe()]
    unseen = [name for name in described if name not in asked]
    # What clients send wrongly, and a count that is a part of another one.
    assert unseen == ["litellm_memory_context_injections", "litellm_memory_unreadable_headers"]


def test_every_alert_says_what_it_means_and_is_on_the_page() -> None:
    page = (DEPLOY.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in page] == []
    assert all(set(rule["annotations"]) == {"summary", "description"} for rule in RULES)


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")
def test_prometheus_itself_takes_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(DEPLOY / "prometheus-rules.yml")], check=True)
