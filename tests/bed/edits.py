"""Edits of LiteLLM's list of callbacks inside its process, as its UI, its database and its reloads make them."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import litellm
from fastapi import APIRouter
from litellm.constants import MAX_CALLBACKS
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy import proxy_server
from litellm.proxy.common_utils.callback_utils import initialize_callbacks_on_proxy

_kept: list[Any] = []
router = APIRouter()


class Other(CustomLogger):
    """A callback of somebody else."""


@router.post("/bed/callbacks/replaced")
async def _replaced() -> dict[str, int]:
    """A bare string in the config, or an edit in the UI, puts another callback in place of all."""
    _kept[:] = litellm.callbacks
    litellm.callbacks = [Other()]
    return _counted()


@router.post("/bed/callbacks/doubled")
async def _doubled() -> dict[str, int]:
    """Another copy of the package is loaded, under another name, and listed beside."""
    _kept[:] = litellm.callbacks
    copy = type("MemoryHandler", (CustomLogger,), {"__module__": "litellm_memory_of_old.hooks.handler"})
    litellm.callbacks = [*_kept, copy()]
    return _counted()


@router.post("/bed/callbacks/filled")
async def _filled() -> dict[str, int]:
    """So many callbacks were added that memory found no room."""
    _kept[:] = litellm.callbacks
    litellm.callbacks = [Other() for _ in range(MAX_CALLBACKS)]
    return _counted()


@router.post("/bed/callbacks/restored")
async def _restored() -> dict[str, int]:
    """The list as it was."""
    litellm.callbacks = [*_kept]
    return _counted()


@router.post("/bed/callbacks/reloaded")
async def _reloaded() -> dict[str, int]:
    """LiteLLM reads its config again, and takes the callbacks that it names."""
    named = ["litellm_memory.handler"]
    initialize_callbacks_on_proxy(
        value=named,
        premium_user=False,
        config_file_path=str(proxy_server.user_config_file_path),
        litellm_settings={"callbacks": named},
    )
    return _counted()


@router.post("/bed/callbacks/edited")
async def _edited() -> dict[str, int]:
    """Somebody adds a callback in LiteLLM's UI, another is taken off, and the config is read again meanwhile."""
    manager = litellm.logging_callback_manager
    manager.add_litellm_callback(added := Other())
    manager.add_litellm_async_success_callback(added)
    await _reloaded()
    for listed in (litellm.callbacks, litellm._async_success_callback):
        manager.remove_callback_from_list_by_object(listed, added)
    return _counted()


@router.get("/bed/process")
def _process() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    own = Path("/proc/self")
    children = "".join(path.read_text() for path in own.glob("task/*/children"))
    kilobytes = next(line for line in (own / "status").read_text().splitlines() if line.startswith("VmRSS")).split()[1]
    return {
        "threads": threading.active_count(),
        "files": len(list((own / "fd").iterdir())),
        "processes": len(children.split()),
        "megabytes": int(kilobytes) // 1024,
    }


def _counted() -> dict[str, int]:
    """How often memory is in each list."""
    lists = {"callbacks": litellm.callbacks, "success": litellm._async_success_callback}
    return {name: sum(type(one).__name__ == "MemoryHandler" for one in found) for name, found in lists.items()}


proxy_server.app.include_router(router)
edits = Other()
