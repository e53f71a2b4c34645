"""Memory without its steps for a gateway, inside LiteLLM's process, as ``bed.ungated.ungated``: what do they cost?

Whose word holds, what a team shares, which guardrails a request meets, LiteLLM's own memory and what is logged are not
looked at: each step is replaced by one that answers at once what it answers where nothing is configured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from litellm_memory.hooks import proxy
from litellm_memory.hooks.guardrails import Guardrails
from litellm_memory.hooks.handler import MemoryHandler
from litellm_memory.hooks.listed import Listed
from litellm_memory.people.switches import Standing, Switches
from litellm_memory.request import blocks, reading

_STANDING = Standing()


def steps() -> Iterator[tuple[Any, str, Any]]:
    """What has each step, by what name, and what stands in for it."""
    yield Switches, "standing", lambda *_: _STANDING
    yield reading, "layer_of", lambda *_: None
    yield blocks, "memories_beside", lambda *_: []
    yield Guardrails, "any", False
    yield proxy, "is_gateway_memorys", lambda _: False
    yield MemoryHandler, "_keep_out_of_logs", lambda *_: None
    yield Listed, "look", lambda _: None


if "BED_UNGATED" in os.environ:
    for owner, name, instead in steps():
        getattr(owner, name)  # A step that is called otherwise by now would be measured on both sides.
        setattr(owner, name, instead)

ungated = CustomLogger()
