"""The guardrails of the proxy: which a request will meet, and what they say to a memory before it is given."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, Final
from weakref import WeakKeyDictionary

import litellm
from litellm.caching.caching import DualCache
from litellm.integrations.custom_guardrail import CustomGuardrail
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth
from litellm.types.guardrails import GuardrailEventHooks
from litellm.types.utils import CallTypes

from litellm_memory.engine import Screen

BEFORE_THE_ANSWER: Final = (GuardrailEventHooks.pre_call, GuardrailEventHooks.during_call)
ALL_EVENTS: Final = (*BEFORE_THE_ANSWER, GuardrailEventHooks.post_call)
CHANGING: Final = (
    "async_pre_call_hook",
    "async_moderation_hook",
    "async_post_call_success_hook",
    "async_post_call_streaming_iterator_hook",
)
"""Hooks by which a callback changes or refuses a request or its answer."""
REFUSED_SECONDS: Final = 600.0
"""How long a memory that a guardrail refused stays out: a guardrail whose service is away refuses too."""
MOST_VERDICTS: Final = 20_000
_LITELLMS: Final = ("litellm.", "litellm_enterprise.", "enterprise.")
"""Where LiteLLM's own callbacks come from. Most are always there and count, limit and route; those that look at what is
said have a hook beside the call, or are among the callbacks that an operator names."""
_NAMED: Final = ("enterprise_callbacks", "enterprise_hooks")
_RECORDS: Final = ("standard_logging_guardrail_information", "applied_guardrails")
"""What guardrails write into a request's metadata for its log: what they say to a memory does not belong there."""


@dataclass(frozen=True, slots=True)
class GuardrailVerdict:
    """What a guardrail made of a text: the text as it may be given, None when it was refused."""

    text: str | None
    until: float = float("inf")


class Guardrails:
    """The callbacks beside memory that may change or refuse a request. Empty for most proxies, at no cost."""

    def __init__(self) -> None:
        self._known: tuple[int, ...] = ()
        self._others: tuple[CustomLogger, ...] = ()
        self._verdicts: WeakKeyDictionary[CustomGuardrail, OrderedDict[bytes, GuardrailVerdict]] = WeakKeyDictionary()
        self._asked: dict[tuple[int, bytes], asyncio.Task[str | None]] = {}

    @property
    def any(self) -> bool:
        """True when a request may meet one."""
        return bool(self._listed())

    def met(self, data: Mapping[str, Any]) -> tuple[CustomLogger, ...]:
        """Those that a request with this data will meet before, during or after its call."""
        return tuple(other for other in self._listed() if _meets(other, data, ALL_EVENTS))

    def screen(
        self, met: Sequence[CustomLogger], data: Mapping[str, Any], key: UserAPIKeyAuth, *, seconds: float
    ) -> Screen | None:
        """Asks those of ``met`` that see a request before its answer about a text; None when there are none.

        Each is waited for ``seconds`` at most, and a text without an answer by then is not given.
        """
        asked = [one for one in met if isinstance(one, CustomGuardrail) and _meets(one, data, BEFORE_THE_ANSWER)]
        return partial(self._screened, asked, data, key, seconds) if asked else None

    def _listed(self) -> tuple[CustomLogger, ...]:
        listed = tuple(map(id, litellm.callbacks))
        if listed != self._known:
            self._known, self._others = listed, _interfering(litellm.callbacks)
        return self._others

    async def _screened(
        self, asked: Sequence[CustomGuardrail], data: Mapping[str, Any], key: UserAPIKeyAuth, seconds: float, text: str
    ) -> str | None:
        """``text`` as the guardrails let it through, one after the other; None when one refuses it."""
        for guardrail in asked:
            verdict = await self._verdict(guardrail, text, data, key, seconds)
            if verdict.text is None:
                return None
            text = verdict.text
        return text

    async def _verdict(
        self, guardrail: CustomGuardrail, text: str, data: Mapping[str, Any], key: UserAPIKeyAuth, seconds: float
    ) -> GuardrailVerdict:
        request = _request_for(text, data)
        digest = _digest(guardrail, text, request)
        known = self._verdicts.setdefault(guardrail, OrderedDict())
        if (verdict := known.get(digest)) is not None and verdict.until > time.monotonic():
            return verdict
        asking = (id(guardrail), digest)
        if asking not in self._asked:
            # It goes on after the request's own deadline: the next request finds the verdict.
            task = asyncio.get_running_loop().create_task(_applied(guardrail, text, request, key))
            self._asked[asking] = task
            task.add_done_callback(partial(self._keep, known, asking))
        done, _ = await asyncio.wait((self._asked[asking],), timeout=seconds)
        return _verdict_of(done.pop()) if done else GuardrailVerdict(None)

    def _keep(
        self, known: OrderedDict[bytes, GuardrailVerdict], asking: tuple[int, bytes], task: asyncio.Task[str | None]
    ) -> None:
        self._asked.pop(asking, None)
        known[asking[1]] = _verdict_of(task)
        if len(known) > MOST_VERDICTS:
            known.popitem(last=False)


def _verdict_of(task: asyncio.Task[str | None]) -> GuardrailVerdict:
    """What a guardrail said. It refuses by any exception, and one that cannot be reached lets nothing through."""
    refused = task.cancelled() or task.exception() is not None
    text = None if refused else task.result()
    return GuardrailVerdict(text, float("inf") if text is not None else time.monotonic() + REFUSED_SECONDS)


def _interfering(callbacks: Sequence[Any]) -> tuple[CustomLogger, ...]:
    """The guardrails, and the callbacks of the operator's own that change or refuse requests."""
    loggers = (one for one in callbacks if isinstance(one, CustomLogger))
    return tuple(one for one in loggers if isinstance(one, CustomGuardrail) or _changes(type(one)))


def _changes(kind: type[CustomLogger]) -> bool:
    module = kind.__module__
    if module.startswith("litellm_memory."):
        return False
    named = not module.startswith(_LITELLMS) or any(part in module for part in _NAMED)
    hooks = CHANGING if named else ("async_moderation_hook",)
    return any(getattr(kind, hook, None) is not getattr(CustomLogger, hook, None) for hook in hooks)


def _meets(callback: CustomLogger, data: Mapping[str, Any], events: Sequence[GuardrailEventHooks]) -> bool:
    if not isinstance(callback, CustomGuardrail):
        return True
    if any(callback.should_run_guardrail(data, event) for event in events):
        return True
    # Those of a policy's pipeline run by its order, whatever their own settings say.
    buckets = (data.get(name) for name in ("metadata", "litellm_metadata"))
    managed = (bucket.get("_pipeline_managed_guardrails") for bucket in buckets if isinstance(bucket, Mapping))
    return any(callback.guardrail_name in names for names in managed if names)


def _digest(guardrail: CustomGuardrail, text: str, request: dict[str, Any]) -> bytes:
    """A text under a guardrail's configuration: LiteLLM may change it in place, and a request adds to it."""
    asked = guardrail.get_guardrail_from_metadata(request)
    plain = {name: value for name, value in vars(guardrail).items() if isinstance(value, str | int | float | list)}
    return blake2b(f"{len(text)}:{text}{plain!r}{asked!r}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _request_for(text: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A request of nothing but ``text``, which meets the guardrails that ``data`` meets."""
    request: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "model": data.get("model")}
    for name in ("metadata", "litellm_metadata"):
        if isinstance(bucket := data.get(name), Mapping):
            request[name] = {key: value for key, value in bucket.items() if key not in _RECORDS}
    if "guardrails" in data:
        request["guardrails"] = data["guardrails"]
    return request


async def _applied(guardrail: CustomGuardrail, text: str, request: dict[str, Any], key: UserAPIKeyAuth) -> str | None:
    """``text`` as the guardrail leaves it, by whichever interface it has. Raises what the guardrail raises."""
    if type(guardrail).apply_guardrail is not CustomGuardrail.apply_guardrail:
        told = await guardrail.apply_guardrail(inputs={"texts": [text]}, request_data=request, input_type="request")
        texts = told.get("texts") or [text]
        return str(texts[0])
    if guardrail.should_run_guardrail(request, GuardrailEventHooks.pre_call):
        answer = await guardrail.async_pre_call_hook(key, DualCache(), request, CallTypes.acompletion.value)
        if isinstance(answer, str | Exception):
            return None
        request = answer if isinstance(answer, dict) else request
    if guardrail.should_run_guardrail(request, GuardrailEventHooks.during_call):
        await guardrail.async_moderation_hook(request, key, CallTypes.acompletion.value)
    content = request["messages"][0]["content"]
    return content if isinstance(content, str) else text
