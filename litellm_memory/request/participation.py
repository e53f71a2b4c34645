"""Which models and keys take part in memory."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from litellm_memory.models import Turn
from litellm_memory.request.request import Request
from litellm_memory.settings import GlobsSettings, VendorMemory
from litellm_memory.wire import model_in_path


def takes_part(name: str | None, globs: GlobsSettings) -> bool:
    """True when ``globs`` admit ``name``; None is admitted only when ``include`` is empty."""
    if globs.include:
        return name is not None and any(fnmatchcase(name, glob) for glob in globs.include)
    return name is None or not any(fnmatchcase(name, glob) for glob in globs.exclude)


def models_take_part(models: Sequence[str], globs: GlobsSettings) -> bool:
    """True when ``globs`` let every one of ``models`` have memory; of unknown ones, only globs that let all."""
    if not models:
        return globs == GlobsSettings()
    return all(takes_part(model, globs) for model in models)


def models_asked(request: Request, turn: Turn) -> tuple[str, ...]:
    """Every model that a request may reach: by its body, each of a list, its fallbacks and its path."""
    named = (*request.models, turn.model, model_in_path(request.route))
    # LiteLLM sends a request for "one,other" to both.
    parts = (part.strip() for name in named if name for part in name.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def vendor_of(models: Sequence[str | None], vendors: Sequence[VendorMemory]) -> VendorMemory | None:
    """The memory vendor that serves one of ``models``; None when there is none."""
    return next(
        (vendor for vendor in vendors for model in models if takes_part(model, GlobsSettings(include=vendor.models))),
        None,
    )
