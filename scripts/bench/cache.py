"""Does a provider's prompt cache work as well with memory as without it? Conversations of many clients, held twice."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bed.memories import Memories
from bed.proxy import Proxy
from cache_clients import CLIENTS, Client, Step, asked_twice, retried, talk
from cache_promises import LEAST_RATIO, SIDES, Conversation, Door, Result, Side, result, user_of
from cache_provider import CachingProvider
from cache_replay import GOAL_MS, ReplayCost, replay_cost
from cache_story import MEMORIES

from litellm_memory.settings import RecallSettings

QUICK = ("claude-code", "codex", "plain chat", "bedrock converse")
RETRYING = ("claude-code", "codex", "gemini-cli", "opencode")
LONGEST_OPENING = 60.0
_OFF = {"x-memory-user-id": "nobody", "x-memory-inject": "false", "x-memory-store": "false"}


@dataclass(frozen=True, slots=True)
class Setting:
    """How the proxy with memory runs."""

    name: str
    workers: int
    position: str = "turn"


OTHER_POSITIONS = [Setting(position, 1, position) for position in ("system", "first_user", "before_last")]
SETTINGS = (Setting("one worker", 1), Setting("two workers", 2))


def main() -> int:
    """Measures and prints; 1 when a promise failed."""
    arguments = _arguments()
    report = (
        quick_report(arguments.clients)
        if arguments.quick
        else positions_report()
        if arguments.positions
        else full_report()
    )
    print(json.dumps(report, indent=2) if arguments.json else "\n".join(_tables(report)))
    return 1 if report["failed"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="four clients, short conversations, two workers, no restart"
    )
    parser.add_argument("--clients", type=int, default=len(QUICK), help="of the quick run, so many of its four")
    parser.add_argument(
        "--positions", action="store_true", help="what the other positions of a block cost; promises nothing"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def full_report() -> dict[str, Any]:
    """Every client in every setting, beside a proxy that has no memory at all."""
    promised = {setting.name: _held(setting, _conversations()) for setting in SETTINGS}
    limits = _held_at_once(SETTINGS[0], _limits())
    with TemporaryDirectory(prefix="litellm-memory-bench-") as directory:
        replay = asyncio.run(replay_cost(Path(directory)))
    return _report(promised, limits, replay)


def quick_report(clients: int) -> dict[str, Any]:
    """Some clients in short conversations with two workers; without memory by headers, so one proxy is enough."""
    conversations = [_conversation(CLIENTS[id], talk(CLIENTS[id], count=4)) for id in QUICK[:clients]]
    return _report({SETTINGS[1].name: _held_at_once(SETTINGS[1], conversations, alone=True)}, [], None)


def positions_report() -> dict[str, Any]:
    """Some clients with the block where a prompt cache does not like it."""
    limits = []
    for setting in OTHER_POSITIONS:
        conversations = [_conversation(CLIENTS[id], talk(CLIENTS[id]), f", {setting.position}") for id in QUICK]
        limits += _held_at_once(setting, conversations)
    return _report({}, limits, None)


def _report(
    promised: Mapping[str, Sequence[Result]], limits: Sequence[Result], replay: ReplayCost | None
) -> dict[str, Any]:
    rows = [{"setting": name, **_row(found)} for name, results in promised.items() for found in results]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "litellm": version("litellm"),
        "python": platform.python_version(),
        "failed": [row["conversation"] for row in rows if not row["kept"]],
        "conversations": rows,
        "limits": [_row(found) for found in limits],
        "replay": {**asdict(replay), "added_ms": replay.added_ms, "goal_ms": GOAL_MS} if replay else None,
    }


def _row(found: Result) -> dict[str, Any]:
    enough = 2 * found.turns_with_block >= found.turns
    kept = not found.broken and found.ratio >= LEAST_RATIO and enough
    return {**asdict(found), "ratio": found.ratio, "ratio_of_all": found.ratio_of_all, "kept": kept}


# --- holding conversations ---


def _conversation(client: Client, steps: Iterator[Step], of: str = "") -> Conversation:
    return Conversation(f"{client.id}{of}", client, list(steps))


def _conversations() -> list[Conversation]:
    said = [_conversation(client, talk(client)) for client in CLIENTS.values()]
    return [*said, *(_conversation(CLIENTS[id], retried(CLIENTS[id]), ", retried") for id in RETRYING)]


def _limits() -> list[Conversation]:
    """What the page names as limits: it is measured and not promised."""
    plain = CLIENTS["plain chat"]
    twins = [_conversation(plain, talk(plain), ", a twin at the same time") for _ in range(2)]
    return [_conversation(plain, asked_twice(plain), ", every answer made twice"), *twins]


def _held(setting: Setting, conversations: Sequence[Conversation]) -> list[Result]:
    """The conversations one after the other; the proxy with memory is restarted when all are half over."""
    with CachingProvider() as provider, _doors(provider, setting) as doors:
        on = doors["on"].proxy
        _remember(on, map(user_of, conversations))
        for conversation in conversations:
            conversation.go_on(provider, doors, requests=conversation.half)
        on.stop()
        on.start()
        _remember(on, ())
        for conversation in conversations:
            conversation.go_on(provider, doors)
    return [result(conversation) for conversation in conversations]


def _held_at_once(setting: Setting, conversations: Sequence[Conversation], *, alone: bool = False) -> list[Result]:
    """The conversations in turns, request by request. ``alone``: one proxy for both sides."""
    with CachingProvider() as provider, _doors(provider, setting, alone=alone) as doors:
        _remember(doors["on"].proxy, {user_of(conversation) for conversation in conversations})
        speaking = list(conversations)
        while speaking:
            speaking = [conversation for conversation in speaking if conversation.go_on(provider, doors, requests=1)]
    return [result(conversation) for conversation in conversations]


@contextmanager
def _doors(provider: CachingProvider, setting: Setting, *, alone: bool = False) -> Iterator[dict[Side, Door]]:
    # One memory a block, so that the few memories make many blocks. Beside that the product's defaults, not the tests'.
    recall = RecallSettings(max_memories=1).model_dump(include={"max_memories", "deadline_ms", "min_score"})
    if alone:
        # A run that only checks promises does not depend on a quick machine, nor on the embedding model.
        recall = {"max_memories": 1}
    recall["position"] = setting.position
    with TemporaryDirectory(prefix="litellm-memory-bench-") as directory, ExitStack() as stack:
        on = Proxy(Path(directory) / "on", provider.url, memory={"recall": recall}, workers=setting.workers)
        off = Door(on, _OFF) if alone else Door(stack.enter_context(Proxy(Path(directory) / "off", provider.url)))
        with on:
            yield dict(zip(SIDES, (Door(on), off), strict=True))


def _remember(proxy: Proxy, users: Iterable[str]) -> None:
    """Waits until memory is ready, and gives each of these users the memories of the story."""
    with proxy.sidecar() as client:
        memories = Memories(proxy, client)
        memories.wait_until_ready(within=LONGEST_OPENING)
        for user in users:
            for text in MEMORIES:
                memories.add(text, user=user)


# --- tables ---


def _tables(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{report['date']}, LiteLLM {report['litellm']}, Python {report['python']}"
    yield ""
    yield from _table(report["conversations"])
    if report["limits"]:
        yield from ("", "Measured, not promised:", "", *_table(report["limits"]))
    for row in report["conversations"]:
        for broken in row["broken"]:
            yield f"\n{row['conversation']}, {row['setting']}, request {broken['request']}: not so: {broken['promise']}"
            yield f"  {broken['shown']}"
    if replay := report["replay"]:
        yield ""
        yield (
            f"Replay of {replay['blocks']} blocks in {replay['messages']} messages: {replay['added_ms']:.2f} ms beside "
            f"{replay['off_ms']:.2f} ms for reading the request (goal {replay['goal_ms']} ms)"
        )


_HEAD = (
    "conversation",
    "setting",
    "requests",
    "turns with a block",
    "cached of what was sent before, on : off",
    "cached of all, on : off",
    "bytes sent before",
    "promise",
)


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|{'---|' * len(_HEAD)}"
    for row in rows:
        again, whole = (f"{row[f'{name}_on']:.1%} : {row[f'{name}_off']:.1%}" for name in ("resent", "whole"))
        differ = sum(broken["promise"].startswith("what was sent before") for broken in row["broken"])
        yield (
            f"| {row['conversation']} | {row.get('setting', '')} | {row['requests']} "
            f"| {row['turns_with_block']} of {row['turns']} | {again} = {row['ratio']:.3f} "
            f"| {whole} = {row['ratio_of_all']:.3f} | {f'{differ} differ' if differ else 'identical'} "
            f"| {'kept' if row['kept'] else 'broken'} |"
        )


if __name__ == "__main__":
    sys.exit(main())
