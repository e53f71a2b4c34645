"""Log sinks inside LiteLLM: what each is handed is written to a file, whole, as the strings in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload

SINKS = "BED_SINKS"
"""The environment variable that names the file."""


def _strings(value: Any, seen: set[int]) -> Iterator[str]:
    """Every string in ``value``, however deep, in the fields of objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif value is not None and not isinstance(value, int | float | bool | type) and id(value) not in seen:
        seen.add(id(value))
        if isinstance(value, Mapping):
            for key, item in list(value.items()):
                yield from _strings(key, seen)
                yield from _strings(item, seen)
        elif isinstance(value, list | tuple | set | frozenset):
            for item in list(value):
                yield from _strings(item, seen)
        elif hasattr(value, "model_dump"):
            yield from _strings(value.model_dump(), seen)
        elif isinstance(value, BaseException):
            yield str(value)


def _write(sink: str, event: str, *given: Any) -> None:
    told = given[0] if isinstance(given[0], Mapping) else {}
    params = told.get("litellm_params") or {}
    report = told.get("standard_logging_object") or {}
    line = {
        "sink": sink,
        "event": event,
        "strings": list(_strings(list(given), set())),
        "body": (params.get("proxy_server_request") or {}).get("body"),
        "marker": ((report.get("metadata") or {}).get("spend_logs_metadata") or {}).get("litellm_memory"),
    }
    with Path(os.environ[SINKS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")


class Sink(CustomLogger):
    """Writes what LiteLLM logs of a call, as a logger of its own name."""

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that succeeded, and the row that LiteLLM's writer of spend would make of it."""
        _write(type(self).__name__, "success", kwargs, response_obj)
        with suppress(Exception):
            _write("spend row", "success", get_logging_payload(kwargs, response_obj, start_time, end_time))

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that failed."""
        _write(type(self).__name__, "failure", kwargs, response_obj)


class Before(Sink):
    """Is listed before memory."""


class Behind(Sink):
    """Is listed behind memory."""


class Failures(CustomLogger):
    """Is told of failures by the proxy, as LiteLLM's writer of spend is."""

    async def async_post_call_failure_hook(
        self, request_data: Any, original_exception: Any, user_api_key_dict: Any, traceback_str: Any = None
    ) -> None:
        """A request that failed, with the data that the row of its failure is made of."""
        given = {name: request_data.get(name) for name in ("proxy_server_request", "standard_logging_object")}
        _write("failure row", "failure", given)


def in_a_thread(kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
    """A sink that is a plain function, as Langfuse's and S3's: LiteLLM calls it in a thread."""
    _write("function", "failure" if kwargs.get("exception") else "success", kwargs, response_obj)


before = Before()
behind = Behind()
failures = Failures()
