"""LiteLLM's spend logs with prompts (`store_prompts_in_spend_logs`), as `/spend/logs` or its table gives them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from litellm_memory.foreign.line import LONGEST_REPLY, Json, instant, name
from litellm_memory.foreign.talk import texts_in

CUT: Final = "litellm_truncated"
"""What LiteLLM writes into a text that it has cut: such a row is not what the person said."""


def fits(records: Sequence[Json]) -> bool:
    """True for a row of the spend logs."""
    return any("request_id" in one and "api_key" in one and "spend" in one for one in records)


def conversations(records: Iterator[Json], left_out: Counter[str]) -> Iterator[Json]:
    """One for each row that holds its prompt, whose newest message alone is new. Whose it is says ``caller``."""
    for record in records:
        asked, when = _json(record.get("proxy_server_request")), instant(record.get("startTime"))
        body = asked if isinstance(asked, dict) and asked else {"messages": _json(record.get("messages"))}
        if when is None or not (body.get("messages") or body.get("input") or body.get("contents")):
            left_out["no_time" if when is None else "no_prompt"] += 1
            continue
        if record.get("status") == "failure" or CUT in json.dumps(body):
            left_out["failed" if record.get("status") == "failure" else "truncated"] += 1
            continue
        reply = _answer(_json(record.get("response")))[:LONGEST_REPLY]
        yield {
            "headers": _headers(record),
            "body": body,
            "said": [{"at": when, **({"reply": reply} if reply else {})}],
            "caller": _caller(record),
            **({"user": end_user} if (end_user := name(record.get("end_user"))) else {}),
        }


def _caller(record: Json) -> dict[str, str | None]:
    """The verified key of a row, as LiteLLM wrote it."""
    about = _json(record.get("metadata"))
    alias = about.get("user_api_key_alias") if isinstance(about, dict) else None
    return {
        "user": name(record.get("user")),
        "team": name(record.get("team_id")),
        "key": name(record.get("api_key")),
        "key_alias": name(alias),
    }


def _headers(record: Json) -> dict[str, str]:
    """The headers that a row tells of: the program, which LiteLLM keeps as a tag, and the session."""
    tags = _json(record.get("request_tags"))
    agents = [tag for tag in tags if isinstance(tag, str) and tag.startswith("User-Agent: ")] if tags else []
    agent = max(agents, key=len, default="").removeprefix("User-Agent: ")
    session = record.get("session_id")
    headers = {"user-agent": agent, "x-litellm-session-id": session if isinstance(session, str) else ""}
    return {key: value for key, value in headers.items() if value}


def _answer(response: Any) -> str:
    """The text of an answer in any of LiteLLM's three shapes."""
    if not isinstance(response, Mapping):
        return ""
    choices, output = response.get("choices"), response.get("output")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        return "\n".join(texts_in(message.get("content"))) if isinstance(message, dict) else ""
    if isinstance(output, list):
        messages = [one for one in output if isinstance(one, dict) and one.get("type") == "message"]
        return "\n".join(text for one in messages for text in texts_in(one.get("content")))
    return "\n".join(texts_in(response.get("content")))


def _json(value: object) -> Any:
    """A JSON column, whether it comes as text or as a value; None when it is neither."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict | list) else None
