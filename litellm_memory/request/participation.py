"""Which models and keys take part in memory."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from litellm_memory.settings import GlobsSettings, VendorMemory


def takes_part(name: str | None, globs: GlobsSettings) -> bool:
    """True when ``globs`` admit ``name``; None is admitted only when ``include`` is empty."""
    if globs.include:
        return name is not None and any(fnmatchcase(name, glob) for glob in globs.include)
    return name is None or not any(fnmatchcase(name, glob) for glob in globs.exclude)


def vendor_of(models: Sequence[str | None], vendors: Sequence[VendorMemory]) -> VendorMemory | None:
    """The memory vendor that serves one of ``models``; None when there is none."""
    return next(
        (vendor for vendor in vendors for model in models if takes_part(model, GlobsSettings(include=vendor.models))),
        None,
    )
