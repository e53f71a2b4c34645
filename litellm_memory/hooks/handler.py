"""The class whose one instance LiteLLM registers as ``litellm_memory.handler``."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from litellm.caching.caching import DualCache
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

from litellm_memory.engine import Engine, Outcome, Request, Screen
from litellm_memory.hooks import proxy
from litellm_memory.hooks.call import CURRENT, Call, current_call
from litellm_memory.hooks.guard import guard
from litellm_memory.hooks.guardrails import Guardrails
from litellm_memory.hooks.logs import Unlogged
from litellm_memory.hooks.record import record_of
from litellm_memory.hooks.spans import add_span
from litellm_memory.metrics import count_call
from litellm_memory.models import Body, Caller
from litellm_memory.wire.answers import reply_of
from litellm_memory.wire.content import CARRIERS
from litellm_memory.wire.recognition import BEDROCK, BY_PATH, may_be_conversation

logger = logging.getLogger(__name__)

BESIDE = (
    "LiteLLM's own gateway memory is on as well: it adds tools and model rounds to the same questions. "
    "Switch one of the two off."
)
WITHOUT_MEMORY = "Memory failed; the request goes on without it"


class MemoryHandler(CustomLogger):
    """Memory before and after a call.

    LiteLLM looks for the pre-call and header hooks in the registered class itself and silently ignores inherited
    ones, so every hook is defined here.
    """

    def __init__(self, engine: Engine, guardrails: Guardrails) -> None:
        super().__init__()
        self.engine = engine
        self._guardrails = guardrails

    async def async_pre_call_hook(
        self, user_api_key_dict: UserAPIKeyAuth, cache: DualCache, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """The request with memory in it; ``data`` itself when there is no memory or anything failed."""
        call = current_call()
        if not call.wrapped and self.engine.health.wrap is None:
            # The wrap stripped this request's headers and the context was lost: we cannot tell whose memory it is.
            call.outcome = Outcome.failed("no_context")
            return data
        if _has_block(call, data):
            # LiteLLM appends its configured callbacks anew when it reads its config again.
            return data
        began, given = time.time_ns(), data
        with guard(WITHOUT_MEMORY, call):
            caller = proxy.as_verified(proxy.caller_of(user_api_key_dict), call.headers or _headers(data), call.state)
            given = await self._with_memory(call, caller, data, call_type, user_api_key_dict)
        add_span(user_api_key_dict, call, began=began)
        return given

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Memory for the one route without a pre-call hook: ``/azure`` relayed to a model of the router.

        On all other routes it returns None, because it fires again for each bridge, retry and fallback.
        """
        call = CURRENT.get()
        if call is None:
            return None
        with guard(WITHOUT_MEMORY, call):
            given = proxy.for_vendor(kwargs, call.outcome, self.engine.settings) or await self._relayed(call, kwargs)
            if call.unlogged is not None:
                # A bridge has a logging object of its own.
                call.unlogged.watch(kwargs)
            return given
        return None

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: UserAPIKeyAuth,
        response: Any,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """The memory headers, for a request that did not pass through the ASGI wrap.

        ``data`` is what the guardrails before and during the call let through, on every route that has this hook.
        """
        call = CURRENT.get()
        if call is None:
            return None
        if call.outcome is not None and call.outcome.reading is not None and call.outcome.reading.request.guarded:
            call.sent = data
        return None if call.wrapped else call.response_headers()

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: Any = None,
    ) -> None:
        """Notes that the request or its answer was refused, or failed: LiteLLM may still answer with status 200."""
        call = CURRENT.get()
        if call is not None:
            call.refused = True

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Records the call; learns from its answer where the ASGI wrap did not see it."""
        call = CURRENT.get()
        if call is None:
            return
        self._record(call, kwargs)
        if call.wrapped or call.outcome is None or call.outcome.format is None:
            return
        self.engine.after(call.outcome, partial(reply_of, response_obj, call.outcome.format))

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Records a failed attempt: the call's end, unless a retry or a fallback succeeds."""
        call = CURRENT.get()
        if call is not None:
            call.failures += 1
            self._record(call, kwargs)

    def _record(self, call: Call, kwargs: Mapping[str, Any]) -> None:
        """Notes in the ledger what LiteLLM reports of a call; a success is not overwritten by a failure."""
        with guard("A call could not be noted in the ledger"):
            report = kwargs.get("standard_logging_object")
            failed = isinstance(report, Mapping) and report.get("status") == "failure"
            if not isinstance(report, Mapping) or (failed and call.succeeded):
                return
            call.succeeded = not failed
            record = record_of(call, report, self.engine.settings.identity)
            if record is not None:
                self.engine.journal.call(record)
                count_call(record)

    async def _with_memory(
        self, call: Call, caller: Caller, data: dict[str, Any], call_type: str, key: UserAPIKeyAuth
    ) -> dict[str, Any]:
        body = data.get("data") if call_type == BEDROCK else data
        if not isinstance(body, dict) or not may_be_conversation(call_type, call.path or _route(data)):
            # Untouched down to the headers of its answer, and not counted: nobody expects memory of an embedding.
            return data
        await self._look(call, caller, body, call_type, data, key)
        if call.outcome is None or call.outcome.body is None:
            return data
        given = {**data, "data": call.outcome.body} if call_type == BEDROCK else call.outcome.body
        self._keep_out_of_logs(call, given)
        return proxy.without_response_cache(given, call_type)

    def _keep_out_of_logs(self, call: Call, data: dict[str, Any]) -> None:
        if call.outcome is not None and self.engine.settings.logs.blocks == "out":
            call.unlogged = Unlogged(call.outcome, trace=call.id)
            call.unlogged.watch(data)

    async def _relayed(self, call: Call, kwargs: dict[str, Any]) -> dict[str, Any] | None:
        body = kwargs.get("json")
        if not isinstance(body, dict) or (call.outcome is not None and not call.relayed):
            return None
        if not call.relayed:
            call.relayed = True
            relayed = proxy.caller_of_metadata(kwargs.get("litellm_metadata") or {})
            caller = proxy.as_verified(relayed, call.headers, call.state)
            await self._look(call, caller, body, BY_PATH, {"model": kwargs.get("model")})
        given = call.outcome.body if call.outcome else None
        if given is None:
            return None
        self._keep_out_of_logs(call, kwargs)
        return {**kwargs, "json": given}

    async def _look(
        self,
        call: Call,
        caller: Caller,
        body: Body,
        call_type: str,
        data: Mapping[str, Any],
        key: UserAPIKeyAuth | None = None,
    ) -> None:
        """Asks the engine, and stores the outcome in ``call``."""
        call.caller = caller
        headers = call.headers or _headers(data)
        met = self._guardrails.met(data) if self._guardrails.any else ()
        if beside := proxy.is_gateway_memorys(data):
            self.engine.health.beside = BESIDE
        call.outcome = await self.engine.before(
            Request(
                id=call.id,
                call_type=call_type,
                route=call.path or _route(data),
                headers=headers,
                body=body,
                caller=caller,
                models=proxy.models_of(data),
                no_logging=proxy.is_unlogged(data, headers, caller),
                beside=beside,
                guarded=bool(met),
                original=call.client_body() if met else None,
                screen=self._screen(met, data, key) if met and key is not None else None,
            )
        )

    def _screen(self, met: Sequence[CustomLogger], data: Mapping[str, Any], key: UserAPIKeyAuth) -> Screen | None:
        recall = self.engine.settings.recall
        if recall.guardrails == "off":
            return None
        return self._guardrails.screen(met, data, key, seconds=recall.deadline_ms / 1000)


def _has_block(call: Call, data: Mapping[str, Any]) -> bool:
    """True for the data of a request that this very hook has put a block into."""
    given = call.outcome.body if call.outcome is not None else None
    return given is not None and any(data.get(key) is given[key] for key in CARRIERS if key in given)


def _headers(data: Mapping[str, Any]) -> dict[str, str]:
    """The client's headers as LiteLLM stores them, for a request that did not pass through the wrap."""
    request = data.get("proxy_server_request")
    headers = request.get("headers") if isinstance(request, Mapping) else None
    return {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {}


def _route(data: Mapping[str, Any]) -> str | None:
    request = data.get("proxy_server_request")
    url = request.get("url") if isinstance(request, Mapping) else None
    # LiteLLM's URL has the host and the query, and Gemini's clients put their key into the query.
    return urlsplit(str(url)).path if url else None
