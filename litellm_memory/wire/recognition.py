"""Which wire format is it? On LiteLLM's own routes its call type decides; elsewhere the path and the body's shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from litellm_memory.models import Body
from litellm_memory.wire.content import is_object
from litellm_memory.wire.format import WireFormat
from litellm_memory.wire.formats import FORMATS, NATIVE_CALL_TYPES

BY_PATH = "pass_through_endpoint"
"""The call type under which the path and the body decide the wire format."""
BEDROCK = "allm_passthrough_route"
"""The call type whose request body is nested under ``data``."""
PASSED_THROUGH = (BY_PATH, BEDROCK)
"""The call types whose body may be any JSON."""

# Paths that are never a conversation, whatever the body. The last line: a known endpoint followed by something, such as
# /messages/batches, /responses/{id}/cancel or Bedrock's /model/{id}/async-invoke.
_NO_CONVERSATION = re.compile(
    r"/(?:embeddings?|embed|moderations?|images?|audio|videos?|rerank|batch(?:es)?|files?|uploads|fine_tuning|tokenize"
    r"|vector_stores|assistants|threads|realtime|ocr|count[_-]tokens|async-invoke)(?:/|\Z)"
    r"|:(?:countTokens|computeTokens|(?:batch)?embedContents?|batchEmbedContents|predict\w*|batchGenerateContent)\Z"
    r"|/(?:messages|responses|completions)/."
)


# Each is searched once: a path of many kilobytes must not take longer than its length.
_BEFORE_MODEL = re.compile(r"/(?:models?|tunedModels|endpoints|deployments|engines)/")
_AFTER_MODEL = re.compile(r"/(?:chat/|messages|completions|responses|converse|invoke|embeddings)|:[A-Za-z]+\Z")


def model_in_path(route: str | None) -> str | None:
    """The model that a path names, as Gemini's, Vertex', Bedrock's and Azure's do; None when it names none."""
    path = unquote((route or "").partition("?")[0]).rstrip("/")
    before = _BEFORE_MODEL.search(path)
    if before is None:
        return None
    after = _AFTER_MODEL.search(path, before.end())
    return path[before.end() : after.start() if after else None] or None


def may_be_conversation(call_type: str, route: str | None) -> bool:
    """False for a call that is none whatever its body: embeddings, moderations, images, audio, files and the like."""
    if call_type in PASSED_THROUGH:
        return not _NO_CONVERSATION.search(_path(route))
    return call_type in NATIVE_CALL_TYPES


def _path(route: str | None) -> str:
    return (route or "").partition("?")[0].rstrip("/")


def recognise(
    call_type: str, route: str | None, body: Body, *, formats: Sequence[WireFormat] = FORMATS
) -> WireFormat | None:
    """The format of ``body``, or None when it is no conversation or its shape is ambiguous.

    ``call_type`` is LiteLLM's, ``route`` the path that the client called, ``body`` the wire body: on
    ``allm_passthrough_route`` that is what LiteLLM keeps under ``data``.
    """
    for format in formats:
        if call_type in format.call_types:
            return format
    if call_type not in PASSED_THROUGH or not is_object(body):
        return None
    path = _path(route)
    if _NO_CONVERSATION.search(path):
        return None
    by_path = next((format for format in formats if path.endswith(format.paths)), None)
    return by_path or next((format for format in formats if format.is_request(body)), None)
