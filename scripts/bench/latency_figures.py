"""Rounds to figures: each figure is a median over rounds, with the interval in which a repeat would find it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeAlias

Shares: TypeAlias = Mapping[str, float]
"""Percentiles by name, as shares of all values."""

MEDIAN: Final[Shares] = {"p50": 0.50}
P99: Final[Shares] = {"p99": 0.99}
WITH_TAILS: Final[Shares] = {**MEDIAN, "p95": 0.95, **P99}
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over rounds and its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def figure(rounds: Sequence[float]) -> Figure:
    """The figure of one value a round. The resampling is seeded: equal rounds give equal intervals."""
    resample = random.Random(0)
    medians = sorted(median(resample.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    return Figure(median(rounds), medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1])


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of ``values`` lies, between neighbours in proportion."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def percentiles(rounds: Sequence[Sequence[float]], shares: Shares) -> dict[str, Figure]:
    """The percentiles of the values of each round, by name."""
    return {name: figure([percentile(values, share) for values in rounds]) for name, share in shares.items()}


def added(off: Sequence[Sequence[float]], on: Sequence[Sequence[float]], shares: Shares) -> dict[str, Figure]:
    """What ``on`` adds to the percentiles of ``off``, round by round."""
    return {
        name: figure([percentile(b, share) - percentile(a, share) for a, b in zip(off, on, strict=True)])
        for name, share in shares.items()
    }
