"""JSON shapes that several routes share; those of one route are in its module. Pydantic, because the data are
foreign."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, JsonValue

from litellm_memory.care.given import Shape
from litellm_memory.care.shown import MemoryOut
from litellm_memory.identity import Layer
from litellm_memory.ledger import Allowance


def shown_as(**example: JsonValue) -> ConfigDict:
    """A shape's description for machines, with an example."""
    return ConfigDict(json_schema_extra={"example": example})


class ErrorCode(Shape):
    """What went wrong: a word for programs and a sentence for people."""

    code: str
    message: str


class ErrorOut(Shape):
    """Every error of every route."""

    error: ErrorCode


class AllowanceOut(Shape):
    """Whether it is allowed, and who says so. ``until``: when a pause ends by itself.

    ``policy`` and its place in the settings are null where none was set; ``agreed``: the person said yes to an
    ``opt_in``.
    """

    allowed: bool
    by: Literal["default", "settings", "policy", "key", "person"]
    until: datetime | None
    policy: Literal["on", "off", "opt_in"] | None
    policy_from: str | None
    agreed: bool

    @classmethod
    def shown(cls, one: Allowance) -> AllowanceOut:
        """An allowance in every response."""
        policy, place = (one.ruling.policy, str(one.ruling)) if one.ruling else (None, None)
        return cls.model_validate(
            {
                "allowed": one.allowed,
                "by": one.by,
                "until": one.until,
                "policy": policy,
                "policy_from": place,
                "agreed": one.agreed,
            }
        )


class LayerOut(Shape):
    """What the caller's team shares: its partition, and whether this key is a curator's."""

    team: str
    label: str | None
    partition: str
    curator: bool

    @classmethod
    def shown(cls, layer: Layer | None) -> LayerOut | None:
        """A layer in every response; null without one."""
        if layer is None:
            return None
        return cls(team=layer.team, label=layer.alias, partition=layer.scope.partition, curator=layer.curated)


class MemoriesOut(Shape):
    """One page of a list; ``next_cursor`` asks for the next one and is null on the last."""

    data: list[MemoryOut]
    next_cursor: str | None
