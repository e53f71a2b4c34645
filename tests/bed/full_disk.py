"""Run where the directory is a small disk of its own: memory on it, the disk filled, and freed again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bed.engines import opened_engine
from litellm_memory.engine import Engine
from litellm_memory.models import Exchange, Memory, Reply, Scope
from litellm_memory.store import memory_id

SCOPE = Scope("p", "ann")
SAID = "I keep eleven ducks by the pond."


def memory(number: int) -> Memory:
    made = memory_id(SCOPE.namespace, str(number), key=b"k")
    return Memory(made, "p", "ann", f"Crate {number} holds pears.", "fact", datetime(2026, 1, 1, tzinfo=UTC))


def fill(directory: Path) -> None:
    """Leaves not one byte."""
    with (directory / "ballast").open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


async def until(wanted: Callable[[], Awaitable[bool]], *, within: float = 20.0) -> bool:
    """True as soon as it is as wanted, False after so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while not await wanted():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def seen(directory: Path) -> dict[str, object]:
    async with opened_engine(directory / "memory") as engine:
        await engine.memories.keep([memory(number) for number in range(20)])
        before = await texts(engine)
        fill(directory)
        engine.journal.accept(Exchange("call", SCOPE, "mark", SAID, datetime.now(UTC)))
        engine.journal.answered("mark", Reply("Noted.", complete=True))

        async def complains() -> bool:
            return not engine.health.ready

        told = await until(complains)
        sentences = " ".join(engine.health.problems().values())
        index = await engine.memories.index("p", "ann")
        read = sorted(kept.text for kept in index.all())
        (directory / "ballast").unlink()

        async def learned() -> bool:
            return engine.health.ready and SAID in await texts(engine)

        await until(learned)
        after = await texts(engine)
    return {
        "ready while full": not told,
        "the remedy is named": "free" in sentences,
        "kept before, and read while full": read == before,
        "kept before, and there afterwards": set(before) <= set(after),
        "said while full, and learned afterwards": after.count(SAID),
    }


async def texts(engine: Engine) -> list[str]:
    return sorted(kept.text for kept in await engine.memories.all("p", "ann"))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(seen(Path(sys.argv[1])))))
