"""The lock that a checkout is set up from: it pins what pyproject.toml asks for, and names nothing of one machine."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from bed.proxy import CHECKOUT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from litellm_memory.setup.checks import NEWEST_LITELLM, OLDEST_LITELLM

LOCK = CHECKOUT / "scripts" / "lock.txt"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = ("linux", "darwin")


def locked(text: str) -> Iterator[Requirement]:
    """The pins of a lock."""
    return (Requirement(line) for line in text.splitlines() if not line.startswith("#"))


def asked_for() -> Iterator[Requirement]:
    """What the package and all its extras require of others."""
    extras = chain.from_iterable(PROJECT["optional-dependencies"].values())
    found = (Requirement(line) for line in chain(PROJECT["dependencies"], extras))
    return (requirement for requirement in found if requirement.name != PROJECT["name"])


def pins(python: str, system: str) -> dict[str, Requirement]:
    """The pins that hold on a Python and a system, by name."""
    names = {"linux": "Linux", "darwin": "Darwin"}
    place = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_system": names[system],
    }
    held = [pin for pin in locked(LOCK.read_text(encoding="utf-8")) if pin.marker is None or pin.marker.evaluate(place)]
    by_name = {canonicalize_name(pin.name): pin for pin in held}
    assert len(by_name) == len(held), "a package is pinned twice"
    return by_name


def version_of(pin: Requirement) -> str:
    """The one version of a pin."""
    return str(pin.specifier).removeprefix("==")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_a_version_that_fits_for_everything_that_is_required(python: str, system: str) -> None:
    held = pins(python, system)
    unfit = [
        str(requirement)
        for requirement in asked_for()
        if (pin := held.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version_of(pin), prereleases=True)
    ]
    assert unfit == [], "renew the lock with ./scripts/lock"


def test_every_line_of_the_lock_is_one_version_and_no_address_or_path() -> None:
    for pin in locked(LOCK.read_text(encoding="utf-8")):
        assert (pin.url, pin.extras, re.findall("[=<>~!]=", str(pin.specifier))) == (None, set(), ["=="])


def test_the_range_that_check_calls_tested_is_from_the_floor_to_the_lock() -> None:
    [floor] = [requirement for requirement in asked_for() if requirement.name == "litellm"]
    held = version_of(pins(PYTHONS[0], SYSTEMS[0])["litellm"])
    assert (str(floor.specifier), held) == (f">={OLDEST_LITELLM}", NEWEST_LITELLM)


def test_the_changelog_names_the_tested_range() -> None:
    changelog = (CHECKOUT / "docs" / "changelog.md").read_text(encoding="utf-8")
    assert f"Tested with LiteLLM {OLDEST_LITELLM} and {NEWEST_LITELLM}." in changelog


def test_a_changed_lock_sets_the_checkout_up_anew(tmp_path: Path) -> None:
    """In a copy of the checkout whose venv's Python only writes down what it was asked to do."""
    (tmp_path / "scripts").mkdir()
    for name in ("pyproject.toml", "scripts/setup", "scripts/lock.txt"):
        (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    for name in ("python", "litellm-memory"):
        command = tmp_path / ".venv" / "bin" / name
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/asked"\n')
        command.chmod(0o755)
    assert [_set_up(tmp_path), _set_up(tmp_path)] == [1, 0]
    with (tmp_path / "scripts" / "lock.txt").open("a", encoding="utf-8") as lock:
        lock.write("one-more==1.0\n")
    assert [_set_up(tmp_path), _set_up(tmp_path)] == [1, 0]


def _set_up(checkout: Path) -> int:
    """How often pip was asked while the checkout was set up."""
    asked = checkout / "asked"
    asked.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "LITELLM_MEMORY_VENV"}
    subprocess.run(["bash", "scripts/setup", "test"], cwd=checkout, env=environment, check=True, capture_output=True)
    return asked.read_text(encoding="utf-8").count("-m pip install")
