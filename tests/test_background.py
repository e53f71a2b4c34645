"""Duties that run beside the requests."""

from __future__ import annotations

import asyncio

import pytest

from litellm_memory.request import background
from litellm_memory.request.background import Background


async def test_a_duty_that_a_defect_ended_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RESTART_SECONDS", 0)
    begun, goes_on = [], asyncio.Event()

    async def duty() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise KeyError("a defect")
        goes_on.set()
        await asyncio.Event().wait()

    tasks = Background()
    tasks.keep(duty)
    async with asyncio.timeout(5):
        await goes_on.wait()
        await tasks.aclose()
    assert len(begun) == 3
