"""The question of a request that LiteLLM has not looked at yet."""

from __future__ import annotations

from collections.abc import Mapping

from litellm_memory.identity import read_options
from litellm_memory.models import Body
from litellm_memory.request.blocks import MAX_QUERY_CHARACTERS
from litellm_memory.request.kinds import classify, is_trivial
from litellm_memory.request.marks import own_words_in, words_of
from litellm_memory.settings import Settings
from litellm_memory.wire.recognition import BY_PATH, recognise


def question_ahead(body: Body, route: str, headers: Mapping[str, str], settings: Settings) -> str | None:
    """What memories will be searched for, as far as the body alone tells; None where nothing is searched for."""
    format = recognise(BY_PATH, route, body)
    turn = format.read(body) if format else None
    if turn is None or classify(turn, headers, settings.kinds)[0] != "person":
        return None
    options = read_options(headers, settings.identity)
    if options.inject is False or not settings.inject:
        return None
    wanted = options.query or words_of(own_words_in(turn)[-1])
    return None if is_trivial(wanted) else wanted[:MAX_QUERY_CHARACTERS]
