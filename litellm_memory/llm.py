"""What we use of LiteLLM's library: token counts, and vectors and answers from any model that it can call."""

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
    # Memories must reach neither LiteLLM's response cache nor, as text, its logging callbacks.
    "cache": {"no-cache": True, "no-store": True},
    "turn_off_message_logging": True,
}


def count_tokens(text: str) -> int:
    """The number of tokens of ``text`` in LiteLLM's bundled encoding (cl100k), which needs no network.

    Not ``litellm.token_counter``: with an unknown model name it may block for half a minute on a download.
    """
    return len(encoding.encode(text, disallowed_special=()))


@dataclass(frozen=True, slots=True)
class InputTypes:
    """How an embedding model family distinguishes queries from documents: by a parameter, else by a prefix."""

    models: re.Pattern[str]
    parameter: str | None
    query: str
    document: str

    def inputs(self, texts: Sequence[str], *, asking: bool) -> tuple[list[str], dict[str, str]]:
        """The texts and the parameters to send; ``asking``: the texts are queries."""
        kind = self.query if asking else self.document
        return ([*texts], {self.parameter: kind}) if self.parameter else ([kind + text for text in texts], {})


def _input_types(models: str, parameter: str | None, query: str, document: str) -> InputTypes:
    return InputTypes(re.compile(models, re.IGNORECASE), parameter, query, document)


INPUT_TYPES = (
    _input_types(r"cohere", "input_type", "search_query", "search_document"),
    _input_types(r"^voyage/", "input_type", "query", "document"),
    _input_types(r"^nvidia_nim/", "input_type", "query", "passage"),
    _input_types(r"^(vertex_ai|gemini)/", "task_type", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT"),
    _input_types(r"nomic-embed-text", None, "search_query: ", "search_document: "),
    _input_types(r"(^|[/-])e5-", None, "query: ", "passage: "),
)
"""From the model cards, with LiteLLM's parameter names; other models do not distinguish the two."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A chat model's answer, its input and output tokens, and its cost in dollars; None where LiteLLM has no figure."""

    text: str
    sent: int | None
    answered: int | None
    cost: float | None


class Models:
    """The models that LiteLLM can call: by the router's name if it has one, else by provider and name.

    ``router`` is looked up at every call: the proxy creates it after its callbacks, and again when models are added.
    """

    def __init__(self, router: Callable[[], Router | None] = lambda: None) -> None:
        self._router = router

    def behind(self, model: str) -> str:
        """The provider and its name for ``model``, such as ``openai/text-embedding-3-small``.

        Raises ModelCallError for an unknown name, and for one that several models share.
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
        """One vector per text, from this model and never from a fallback; ``asking``: the texts are queries.

        Raises RefusedTextError when the model rejects one of the texts, ModelCallError for any other failure.
        """
        inputs, parameters = list(texts), dict[str, Any]()
        behind = self.behind(model)
        if types := next((types for types in INPUT_TYPES if types.models.search(behind)), None):
            inputs, parameters = types.inputs(texts, asking=asking)
        if dimensions is not None:
            parameters["dimensions"] = dimensions
        router = self._router()
        if router is not None and self._deployments(model):
            # A fallback would return vectors of another model.
            parameters |= {"num_retries": 0, "disable_fallbacks": True}
            call = router.aembedding(model=model, input=inputs, timeout=seconds, **PRIVATE, **parameters)
        else:
            call = litellm.aembedding(
                model=model, input=inputs, timeout=seconds, max_retries=0, **PRIVATE, **parameters
            )
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
        """The answer in at most ``most_tokens``, as JSON if there is a ``schema``. One attempt, without fallbacks.

        Raises RefusedTextError when the model rejects its input, ModelCallError for any other failure.
        """
        parameters: dict[str, Any] = {"num_retries": 0, "max_retries": 0, "drop_params": True}
        if schema is not None:
            wanted = {"name": "answer", "schema": dict(schema), "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": wanted}
        parameters |= {"model": model, "messages": [*messages], "max_tokens": most_tokens, "timeout": seconds}
        router = self._router()
        if router is not None and self._deployments(model):
            # The cost cap does not know the price of a fallback.
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

    async def prices(self, model: str) -> tuple[float, float]:
        """Dollars per input token and per output token, each the highest among the deployments of ``model``.

        A model without a price in LiteLLM costs 0, as in LiteLLM's own figures.
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
    """The models of a LiteLLM config, for use without the proxy."""
    listed = config.get("model_list")
    if not isinstance(listed, list) or not listed:
        return Models()
    router = Router(model_list=listed)
    return Models(lambda: router)


def _info(model: str) -> Mapping[str, Any]:
    return _known(litellm.get_model_info, model) or {}


def _provider_name(model: str, given: str = "") -> str:
    """``model`` with its provider. ``given``: the requested name, which replaces a wildcard such as ``openai/*``."""
    found = _known(litellm.get_llm_provider, given if "*" in model else model)
    if found is None:
        raise ModelCallError(f"{given or model} is neither in model_list nor a name that LiteLLM knows a provider for.")
    name, provider, _, _ = found
    return f"{provider}/{name}"


def _known(look_up: Callable[[str], T], model: str) -> T | None:
    """What ``look_up`` returns for a model's name; None when LiteLLM does not know the name."""
    try:
        return look_up(model)
    # LiteLLM raises a bare Exception for a name that it does not know.
    except Exception as error:
        logger.debug("LiteLLM does not know %s (%s)", model, type(error).__name__)
        return None


async def _answered(model: str, call: Coroutine[Any, Any, T], seconds: float) -> T:
    """What a call to a model returns within ``seconds``. Raises RefusedTextError, else ModelCallError."""
    # In a separate context, so that LiteLLM's callbacks, ours included, do not take it for the person's request.
    task = asyncio.create_task(call, context=Context())
    try:
        async with asyncio.timeout(seconds):
            return await task
    except TimeoutError:
        raise ModelCallError(f"{model} did not answer within {seconds:g} s.") from None
    except (litellm.BadRequestError, litellm.UnprocessableEntityError) as error:
        raise RefusedTextError(f"{model} refuses what it was sent ({type(error).__name__}).") from None
    except Exception as error:
        # LiteLLM may raise any type, and the error's text may quote the input, so only its type is shown.
        raise ModelCallError(f"{model} cannot be asked ({type(error).__name__}).") from None
