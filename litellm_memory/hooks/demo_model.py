"""A model that needs no key and no network: its answer shows the memory that it was given."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from html import unescape
from typing import Any

from litellm import ModelResponse
from litellm.llms.custom_llm import CustomLLM
from litellm.types.llms.openai import ChatCompletionUsageBlock
from litellm.types.utils import GenericStreamingChunk, Usage

from litellm_memory.llm import count_tokens

# As any model sees one: in an element whose opening tag has a note.
_BLOCK = re.compile(r'<memory note="[^"]*">\n((?:(?!<memory ).)*?)</memory>', re.DOTALL)
_REMEMBERED = re.compile(
    r"^(?:<standing_wish>|- (?:Standing wish: )?)([^\n]*(?:\n  (?!<answer_then>|- answer then: )[^\n]*)*)", re.MULTILINE
)


class DemoModel(CustomLLM):
    """For ``custom_provider_map``. It runs no model: it lists the memories in the blocks that it was sent."""

    def completion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The whole answer. It includes token usage, because some of LiteLLM's routes fail without it."""
        messages = kwargs["messages"]
        answer, usage = _answer(messages), _usage(messages)
        return ModelResponse(
            model=kwargs["model"],
            choices=[{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}],
            usage=usage,
        )

    async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """The whole answer."""
        return self.completion(*args, **kwargs)

    def streaming(self, *args: Any, **kwargs: Any) -> Iterator[GenericStreamingChunk]:
        """The answer, line by line."""
        for line in _answer(kwargs["messages"]).splitlines(keepends=True):
            yield _chunk(line)
        yield _chunk("", usage=_usage(kwargs["messages"]))

    async def astreaming(  # type: ignore[override]  # LiteLLM declares a coroutine and iterates over it
        self, *args: Any, **kwargs: Any
    ) -> AsyncIterator[GenericStreamingChunk]:
        """The answer, line by line."""
        for chunk in self.streaming(*args, **kwargs):
            yield chunk


def _answer(messages: Sequence[Mapping[str, Any]]) -> str:
    given = [block for message in messages if message.get("role") != "assistant" for block in _blocks(message)]
    remembered = [
        unescape(text.removesuffix("</standing_wish>")).replace("\n  ", "\n")
        for block in given
        for text in _REMEMBERED.findall(block)
    ]
    if not remembered:
        return "I am the demo model. I was given no memory with this conversation."
    listed = "\n".join(f"- {memory}" for memory in dict.fromkeys(remembered))
    return f"I am the demo model. With this conversation I was given:\n{listed}"


def _blocks(message: Mapping[str, Any]) -> list[str]:
    return _BLOCK.findall(_text(message))


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or () if isinstance(part, Mapping))


def _usage(messages: Sequence[Mapping[str, Any]]) -> Usage:
    prompt = sum(count_tokens(_text(message)) for message in messages)
    answer = count_tokens(_answer(messages))
    return Usage(prompt_tokens=prompt, completion_tokens=answer, total_tokens=prompt + answer)


def _chunk(text: str, usage: Usage | None = None) -> GenericStreamingChunk:
    return GenericStreamingChunk(
        text=text,
        is_finished=usage is not None,
        finish_reason="stop" if usage else "",
        usage=_counted(usage) if usage else None,
        index=0,
        tool_use=None,
    )


def _counted(usage: Usage) -> ChatCompletionUsageBlock:
    return ChatCompletionUsageBlock(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
    )
