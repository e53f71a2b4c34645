"""What the bed runs inside LiteLLM's own process: Vertex' way to the provider, compression, and people with keys."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any


def turn_vertex_to_the_provider() -> None:
    """LiteLLM makes Vertex' host name from the location and no setting changes it, so it is changed here."""
    from litellm.proxy.pass_through_endpoints import llm_passthrough_endpoints as routes

    target = os.environ["BED_PROVIDER"] + "/"
    handler: Any = routes.VertexAIPassThroughHandler
    handler.get_default_base_target_url = staticmethod(lambda vertex_location: target)


def compress_answers() -> None:
    """Every whole answer is compressed for clients that accept it, whatever LiteLLM itself compresses."""
    from litellm.proxy.proxy_server import app
    from starlette.middleware.gzip import GZipMiddleware

    # Start-up hooks run before plugins load, so memory's own middleware goes round this one.
    assert app.middleware_stack is not None
    app.middleware_stack = GZipMiddleware(app.middleware_stack, minimum_size=500)


async def authenticate(request: Any, api_key: str) -> Any:
    """A ``custom_auth`` that knows the people of the bed and refuses everybody else, the master key too, with 401."""
    from litellm.proxy._types import ProxyException, UserAPIKeyAuth

    if api_key not in _people():
        raise ProxyException(message="No such key.", type="auth_error", param=None, code=401)
    return UserAPIKeyAuth(api_key=api_key, **_people()[api_key])


@cache
def _people() -> dict[str, dict[str, Any]]:
    return dict(json.loads(Path(os.environ["BED_PEOPLE"]).read_text(encoding="utf-8")))
