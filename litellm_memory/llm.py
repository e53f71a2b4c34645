"""What we ask of LiteLLM's library: token counts, and vectors and answers from any model that it can call."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

import litellm
from litellm.litellm_core_utils.default_encoding import encoding
from litellm.router import Router

from litellm_memory.errors import ModelCallError, RefusedTextError

logger = logging.getLogger(__name__)

T = TypeVar("T")

PRIVATE: Mapping[str, Any] = {
    # What is remembered goes neither into LiteLLM's response cache nor, as text, to its logging callbacks.
    "cache": {"no-cache": True, "no-store": True},
    "turn_off_message_logging": True,
}


def count_tokens(text: str) -> int:
    """Tokens of ``text`` by the encoding that LiteLLM carries (cl100k), which needs no network.

    Not ``litellm.token_counter``: with an unknown model name it may wait half a minute for a download.
    """
    return len(encoding.encode(text, disallowed_special=()))


@dataclass(frozen=True, slots=True)
class Sides:
    """How models of a family are told whether a text asks or is to be found: by a parameter, else before the text."""

    models: re.Pattern[str]
    parameter: str | None
    asking: str
    told: str

    def said(self, texts: Sequence[str], *, asking: bool) -> tuple[list[str], dict[str, str]]:
        """The texts and the parameters to send."""
        side = self.asking if asking else self.told
        return ([*texts], {self.parameter: side}) if self.parameter else ([side + text for text in texts], {})


def _sides(models: str, parameter: str | None, asking: str, told: str) -> Sides:
    return Sides(re.compile(models, re.IGNORECASE), parameter, asking, told)


SIDES = (
    _sides(r"cohere", "input_type", "search_query", "search_document"),
    _sides(r"^voyage/", "input_type", "query", "document"),
    _sides(r"^nvidia_nim/", "input_type", "query", "passage"),
    _sides(r"^(vertex_ai|gemini)/", "task_type", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
    _sides(r"nomic-embed-text", None, "search_query: ", "search_document: "),
    _sides(r"(^|[/-])e5-", None, "query: ", "passage: "),
)
"""By their model cards and LiteLLM's names for the parameters; a model that is not here makes no difference."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat model's answer, the tokens that were sent and answered, and dollars; None where LiteLLM does not tell."""

    text: str
    sent: int | None
    answered: int | None
    cost: float | None


class Models:
    """The models that LiteLLM can call: by their names in a router where they stand there, else by provider name.

    ``router`` is asked at every call: the proxy makes its router after its callbacks, and anew when models are added.
    """

    def __init__(self, router: Callable[[], Router | None] = lambda: None) -> None:
        self._router = router

    def behind(self, model: str) -> str:
        """The provider and its own name of what is called ``model``, such as ``openai/text-embedding-3-small``.

        Raises ModelCallError for an unknown name, and for one that stands for several models.
        """
        names = {_provider_name(**deployment) for deployment in self._deployments(model)} or {_provider_name(model)}
        if len(names) > 1:
            raise ModelCallError(
                f"{model} stands for several models, whose vectors differ: give one a name of its own."
            )
        return names.pop()

    async def vectors(
        self, model: str, texts: Sequence[str], *, asking: bool, dimensions: int | None, seconds: float
    ) -> list[list[float]]:
        """A vector each, by this model and no fallback of it; ``asking``: the texts are queries.

        Raises RefusedTextError when the model will not take one of the texts, ModelCallError for all else that fails.
        """
        said, parameters = list(texts), dict[str, Any]()
        behind = self.behind(model)
        if sides := next((sides for sides in SIDES if sides.models.search(behind)), None):
            said, parameters = sides.said(texts, asking=asking)
        if dimensions is not None:
            parameters["dimensions"] = dimensions
        router = self._router()
        if router is not None and self._deployments(model):
            # A fallback would answer with vectors of another model.
            parameters |= {"num_retries": 0, "disable_fallbacks": True}
            call = router.aembedding(model=model, input=said, timeout=seconds, **PRIVATE, **parameters)
        else:
            call = litellm.aembedding(model=model, input=said, timeout=seconds, max_retries=0, **PRIVATE, **parameters)
        answer = await _answered(model, call, seconds)
        try:
            rows = sorted(answer.data, key=lambda row: int(row["index"]))
            return [list(row["embedding"]) for row in rows]
        except (KeyError, TypeError, ValueError):
            raise ModelCallError(f"{model} did not answer with vectors.") from None

    async def complete(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        *,
        schema: Mapping[str, Any] | None,
        most_tokens: int,
        seconds: float,
    ) -> Completion:
        """The answer in at most ``most_tokens``; ``schema``: JSON that follows it. One attempt, and by no other model.

        Raises RefusedTextError when the model will not take what it is sent, ModelCallError for all else that fails.
        """
        parameters: dict[str, Any] = {"num_retries": 0, "max_retries": 0, "drop_params": True}
        if schema is not None:
            wanted = {"name": "answer", "schema": dict(schema), "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": wanted}
        parameters |= {"model": model, "messages": [*messages], "max_tokens": most_tokens, "timeout": seconds}
        router = self._router()
        if router is not None and self._deployments(model):
            # A fallback would cost what the cap does not know of.
            call = router.acompletion(**parameters, **PRIVATE, disable_fallbacks=True)
        else:
            call = litellm.acompletion(**parameters, **PRIVATE)
        answer = await _answered(model, call, seconds)
        try:
            text = str(answer.choices[0].message.content or "")
        except (AttributeError, IndexError):
            raise ModelCallError(f"{model} did not answer with a message.") from None
        usage = getattr(answer, "usage", None)
        sent, answered = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
        return Completion(text, sent, answered, answer._hidden_params.get("response_cost"))

    def prices(self, model: str) -> tuple[float, float]:
        """Dollars of a token that is sent and of one that is answered, at the dearest that ``model`` stands for.

        What LiteLLM knows no price of costs nothing, as in LiteLLM's own figures.
        """
        router = self._router()
        listed = (router.get_model_list(model_name=model) if router is not None else None) or ()
        infos: list[Mapping[str, Any]]
        if router is not None and listed:
            infos = [router.get_router_model_info(deployment=dict(one), received_model_name=model) for one in listed]
        else:
            infos = [_info(model)]
        return (
            max(float(info.get("input_cost_per_token") or 0) for info in infos),
            max(float(info.get("output_cost_per_token") or 0) for info in infos),
        )

    def _deployments(self, model: str) -> list[Mapping[str, Any]]:
        router = self._router()
        listed = router.get_model_list(model_name=model) if router is not None else None
        return [{"model": deployment["litellm_params"]["model"], "given": model} for deployment in listed or ()]


def models_of(config: Mapping[str, Any]) -> Models:
    """The models of a LiteLLM config outside its proxy."""
    listed = config.get("model_list")
    if not isinstance(listed, list) or not listed:
        return Models()
    router = Router(model_list=listed)
    return Models(lambda: router)


def _info(model: str) -> Mapping[str, Any]:
    return _known(litellm.get_model_info, model) or {}


def _provider_name(model: str, given: str = "") -> str:
    """``model`` with its provider. ``given`` is what a wildcard such as ``openai/*`` was asked for."""
    found = _known(litellm.get_llm_provider, given if "*" in model else model)
    if found is None:
        raise ModelCallError(f"{given or model} is neither in model_list nor a name that LiteLLM knows a provider for.")
    name, provider, _, _ = found
    return f"{provider}/{name}"


def _known(look_up: Callable[[str], T], model: str) -> T | None:
    """What LiteLLM knows of a model's name; None when that is nothing."""
    try:
        return look_up(model)
    # LiteLLM raises a bare Exception for a name that it does not know.
    except Exception as error:
        logger.debug("LiteLLM does not know %s (%s)", model, type(error).__name__)
        return None


async def _answered(model: str, call: Coroutine[Any, Any, T], seconds: float) -> T:
    """What a call to a model returns within ``seconds``. Raises RefusedTextError, else ModelCallError."""
    # In a context of its own: LiteLLM's callbacks, ours among them, must not take it for the person's request.
    task = asyncio.create_task(call, context=Context())
    try:
        async with asyncio.timeout(seconds):
            return await task
    except TimeoutError:
        raise ModelCallError(f"{model} did not answer within {seconds:g} s.") from None
    except (litellm.BadRequestError, litellm.UnprocessableEntityError) as error:
        raise RefusedTextError(f"{model} refuses what it was sent ({type(error).__name__}).") from None
    except Exception as error:
        # Their texts may quote what was sent, and LiteLLM's mapping of errors lets many kinds through.
        raise ModelCallError(f"{model} cannot be asked ({type(error).__name__}).") from None
