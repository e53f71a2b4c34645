"""One module per wire format: parses a body into a Turn and an answer into a Reply, and inserts blocks into a body."""

from __future__ import annotations

from litellm_memory.wire.answers import read_answer, reply_of
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.formats import NATIVE_CALL_TYPES
from litellm_memory.wire.inject import with_block, with_blocks
from litellm_memory.wire.recognition import may_be_conversation, model_in_path, recognise

__all__ = [
    "NATIVE_CALL_TYPES",
    "WireFormat",
    "may_be_conversation",
    "model_in_path",
    "read_answer",
    "recognise",
    "reply_of",
    "with_block",
    "with_blocks",
]
