"""Prints each installed package whose version differs from scripts/lock.txt, with the locked one first."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

for line in Path(__file__).with_name("lock.txt").read_text(encoding="utf-8").splitlines():
    if line.startswith("#"):
        continue
    locked = Requirement(line)
    if locked.marker is not None and not locked.marker.evaluate():
        continue
    try:
        installed = version(locked.name)
    except PackageNotFoundError:
        installed = "not installed"
    if not locked.specifier.contains(installed, prereleases=True):
        print(f"{locked.name} {str(locked.specifier).removeprefix('==')} -> {installed}")
