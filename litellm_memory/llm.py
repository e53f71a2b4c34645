"""What we ask of LiteLLM's library: token counts."""

from __future__ import annotations

from litellm.litellm_core_utils.default_encoding import encoding


def count_tokens(text: str) -> int:
    """Tokens of ``text`` by the encoding that LiteLLM carries (cl100k), which needs no network.

    Not ``litellm.token_counter``: with an unknown model name it may wait half a minute for a download.
    """
    return len(encoding.encode(text, disallowed_special=()))
