"""The pages for people who come from another proxy: nothing of theirs is left out, and what a row claims is tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from bed.pages import NAMES, PAGES, configurations, names_of_tests, rows_of, variables_of

from litellm_memory.settings import Settings, load_settings

ROWS = {"ai-mem": 48, "maia": 35, "memento": 26, "ai-proxy-gateway": 28, "litellm-memory-proxy": 25}
"""How many named things each predecessor offers."""
PRODUCT_KEYS = {"model_list", "router_settings", "litellm_settings", "general_settings", "guardrails"}
"""The sections of LiteLLM's own that the pages use; `test_parity.py` starts LiteLLM with all of them."""


def test_there_is_a_page_for_each() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NAMES, "README", "litellm"])


@pytest.mark.parametrize("page", NAMES)
def test_every_thing_of_theirs_has_one_row(page: str) -> None:
    rows = rows_of(page)
    assert [row.number for row in rows] == list(range(1, ROWS[page] + 1))
    assert len({row.theirs for row in rows}) == len(rows)


@pytest.mark.parametrize("page", NAMES)
def test_every_row_is_shown_by_a_test_or_says_why_not(page: str) -> None:
    unfounded = [
        row
        for row in rows_of(page)
        if not (row.here.startswith("**Works**: ") and row.tests)
        and not (
            row.here.startswith(("**LiteLLM**: ", "**In part**: "))
            and (row.tests or "not run here, because" in row.here)
        )
        and not row.here.startswith("**Not built** because ")
    ]
    assert unfounded == []


@pytest.mark.parametrize("page", NAMES)
def test_every_test_that_a_row_names_exists(page: str) -> None:
    known = names_of_tests(Path(__file__).parent)
    assert [test for row in rows_of(page) for test in row.tests if test not in known] == []


@pytest.mark.parametrize("page", NAMES)
def test_every_configuration_loads(page: str, tmp_path: Path) -> None:
    for config in configurations(page):
        environment = dict.fromkeys(variables_of(config), "a value")
        assert config.keys() <= {*PRODUCT_KEYS, "litellm_memory", "user_id_mappings"}
        assert isinstance(load_settings(config, directory=tmp_path, environment=environment), Settings)


@pytest.mark.parametrize("page", NAMES)
def test_no_configuration_holds_a_key(page: str) -> None:
    for config in configurations(page):
        for model in config.get("model_list", []):
            secrets = {name: value for name, value in model["litellm_params"].items() if "key" in name}
            assert all(str(value).startswith("os.environ/") for value in secrets.values())
        key = config.get("general_settings", {}).get("master_key", "os.environ/")
        assert key.startswith("os.environ/")
