"""What calls cost and how good their answers were: the sums of a day are those of its calls, whatever happens later."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from litellm_memory.database.tables import calls
from litellm_memory.hooks.record import record_of
from litellm_memory.ledger import GROUPINGS, CallRecord, Learned, Ledger, Usage
from litellm_memory.models import Caller
from litellm_memory.settings import IdentitySettings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CALL = CallRecord(
    id="c",
    at=NOON,
    partition="p",
    user="ada",
    client="codex",
    project="shop",
    model_asked="gpt",
    model="openai/gpt-4o-mini",
    provider="openai",
    kind="person",
    stream=False,
    input_tokens=11,
    output_tokens=3,
    cached_tokens=5,
    memory_tokens=2,
    cost=0.25,
    latency=1.5,
    first_token=None,
    status="success",
    error=None,
    retries=0,
    finish_reason="stop",
    recalled=1,
)


async def one_sum(ledger: Ledger, since: datetime | None = None, until: datetime | None = None) -> Usage | None:
    found = await ledger.calls.usage("p", (), since=since, until=until)
    return found[0] if found else None


def counted(url: str, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """Some sums of all calls, straight from their rows."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = [row._mapping for row in connection.execute(select(calls).where(calls.c.partition == "p"))]
    engine.dispose()
    aware = [{**row, "at": row["at"] if row["at"].tzinfo else row["at"].replace(tzinfo=UTC)} for row in rows]
    rows = [row for row in aware if (since is None or row["at"] >= since) and (until is None or row["at"] < until)]
    rated = [row["feedback"] for row in rows if row["feedback"] is not None]
    return {
        "calls": len(rows),
        "failures": sum(row["status"] == "failure" for row in rows),
        **{name: sum(row["quality"] == name for row in rows) for name in ("truncated", "refused", "empty")},
        "retried": sum(row["retried"] for row in rows),
        **{name: sum(row[name] for row in rows) for name in ("input_tokens", "recalled", "learned")},
        "cost": pytest.approx(sum(row["cost"] for row in rows)),
        "latency": pytest.approx(sum(row["latency"] for row in rows) / max(1, len(rows))),
        "feedback": pytest.approx(sum(rated) / len(rated)) if rated else None,
    }


def told(usage: Usage | None) -> dict[str, Any] | None:
    return None if usage is None else asdict(usage)


SPANS = (
    (None, None),
    (NOON, None),
    (None, NOON),
    (NOON - timedelta(days=3), NOON + timedelta(days=3, hours=2)),
    (NOON + timedelta(hours=1), NOON + timedelta(hours=5)),
    (NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=2)),
)


async def test_the_sums_are_those_of_the_calls_whatever_happened_to_them(ledger: Ledger, url: str) -> None:
    chance = random.Random(7)
    noted: list[CallRecord] = []
    for number in range(200):
        noted.append(
            replace(
                CALL,
                id=f"call-{number}",
                at=NOON + timedelta(hours=chance.randrange(-200, 200), seconds=number),
                user=chance.choice(("ada", "bob")),
                client=chance.choice(("codex", None)),
                model=chance.choice(("gpt", "claude")),
                status=chance.choice(("success", "failure")),
                quality=chance.choice((None, "empty", "refused", "truncated")),
                input_tokens=chance.randrange(1000),
                cost=chance.random(),
                message=f"message-{chance.randrange(20)}",
            )
        )
        ledger.calls.note(noted[-1])
        if number % 20 == 0:
            await one_sum(ledger)
            ledger.calls.note(replace(noted[-1], status="success", input_tokens=5))
            ledger.calls.learned({chance.choice(noted).id: 2})
            await ledger.calls.rate("p", chance.choice(noted).id, chance.choice((-1.0, 1.0)))
    await one_sum(ledger)
    await ledger.erasures.erase_user("p", "bob", until=NOON)
    await ledger.prune(NOON + timedelta(days=400), calls_days=405)
    for since, until in SPANS:
        expected = counted(url, since, until)
        found = told(await one_sum(ledger, since, until))
        assert found is not None
        assert {name: found[name] for name in expected} == expected
    for by in GROUPINGS:
        assert (
            sum(group.calls for group in await ledger.calls.usage("p", [by], since=None, until=None))
            == (counted(url)["calls"])
        )


async def test_nobody_is_told_what_was_erased_or_let_go(ledger: Ledger) -> None:
    ledger.calls.note(CALL)
    await ledger.calls.usage("p", (), since=None, until=None)
    await ledger.erasures.erase_user("p", "ada", until=None)
    [group] = await ledger.calls.usage("p", ["user", "project"], since=None, until=None)
    assert (group.group, group.calls) == (("(forgotten)", None), 1)
    await ledger.prune(NOON + timedelta(days=401), calls_days=400)
    assert await ledger.calls.usage("p", ["user"], since=None, until=None) == []


@pytest.mark.parametrize(
    ("later", "retried"),
    [
        ({"at": NOON + timedelta(minutes=2)}, 1),
        ({"at": NOON + timedelta(minutes=20)}, 0),
        ({"at": NOON + timedelta(minutes=2), "kind": "continuation"}, 0),
        ({"at": NOON + timedelta(minutes=2), "message": "another"}, 0),
    ],
    ids=["the same words soon after", "much later", "the same turn goes on", "other words"],
)
async def test_an_answer_after_which_the_same_words_come_again_was_not_good_enough(
    ledger: Ledger, later: Mapping[str, Any], retried: int
) -> None:
    ledger.calls.note(replace(CALL, id="first", message="m"))
    ledger.calls.note(replace(CALL, **{"id": "second", "message": "m", **later}))
    found = await one_sum(ledger)
    assert found is not None
    assert (found.calls, found.retried) == (2, retried)


async def test_a_failed_call_that_is_sent_again_is_no_bad_answer(ledger: Ledger) -> None:
    ledger.calls.note(replace(CALL, id="first", message="m", status="failure"))
    ledger.calls.note(replace(CALL, id="second", message="m", at=NOON + timedelta(seconds=5)))
    found = await one_sum(ledger)
    assert found is not None
    assert found.retried == 0


async def test_what_is_learned_before_litellm_reports_the_call_is_counted_when_it_does(ledger: Ledger) -> None:
    ledger.traces.learned({"c": [Learned("kept"), Learned("kept"), Learned("dropped"), Learned("merged")]})
    assert await one_sum(ledger) is None
    ledger.calls.note(CALL)
    found = await one_sum(ledger)
    assert found is not None
    assert found.learned == 2
    again = await one_sum(ledger)
    assert again == found


# --- how good an answer was, by LiteLLM's report ---


class _Call:
    """A call as the hooks carry it, of somebody with a key."""

    id = "c"
    outcome = None
    caller = Caller(user="ada")
    failures = 0


def chat(finish_reason: str, **message: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": finish_reason, "message": {"role": "assistant", **message}}]}


@pytest.mark.parametrize(
    ("response", "status", "quality"),
    [
        (chat("stop", content="Noted."), "success", None),
        (chat("tool_calls", content=None, tool_calls=[{"id": "t"}]), "success", None),
        (chat("length", content="Not"), "success", "truncated"),
        (chat("content_filter", content=""), "success", "refused"),
        (chat("stop", content=""), "success", "empty"),
        (chat("stop", content=""), "failure", None),
        ({"choices": [{"finish_reason": "stop", "text": ""}]}, "success", "empty"),
        ({"stop_reason": "max_tokens", "content": [{"type": "text", "text": "Not"}]}, "success", "truncated"),
        ({"stop_reason": "refusal", "content": []}, "success", "refused"),
        ({"stop_reason": "end_turn", "content": []}, "success", "empty"),
        ({"output": [{}], "incomplete_details": {"reason": "max_output_tokens"}}, "success", "truncated"),
        ({"output": []}, "success", "empty"),
        ("redacted-by-litellm", "success", None),
        (None, "success", None),
    ],
    ids=str,
)
def test_the_quality_of_an_answer_is_read_in_the_shapes_that_litellm_reports(
    response: Any, status: str, quality: str | None
) -> None:
    record = record_of(_Call(), {"response": response, "status": status}, IdentitySettings())  # type: ignore[arg-type]  # all that is asked of it
    assert record is not None
    assert record.quality == quality
