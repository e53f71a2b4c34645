"""Where a config says that the sidecar is, without reading all of the settings: that would take longer than to ask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import yaml

KEY_VARIABLE: Final = "LITELLM_MASTER_KEY"
HOST: Final = "127.0.0.1"
PORT: Final = 8764
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def address_in(config: Path) -> str | None:
    """The sidecar's address by this config, or the usual one without a file; None for what only the settings can
    read, or refuse."""
    if not config.exists():
        return address_of({})
    try:
        # The loader is PyYAML's safe one, in C where that is installed.
        parsed = yaml.load(config.read_text(encoding="utf-8"), _LOADER)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None
    section = (parsed.get("litellm_memory") or {}) if isinstance(parsed, dict) else {}
    return address_of(section.get("sidecar") or {}) if isinstance(section, dict) else None


def address_of(sidecar: Any) -> str | None:
    """The address by the section `sidecar`; None when it is not that plain."""
    if not isinstance(sidecar, dict):
        return None
    host, port = (_looked_up(sidecar.get(name, usual)) for name, usual in (("host", HOST), ("port", PORT)))
    if not isinstance(host, str) or not str(port).isdigit():
        return None
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _looked_up(value: Any) -> Any:
    named = isinstance(value, str) and value.startswith("os.environ/")
    return os.environ.get(value.removeprefix("os.environ/")) if named else value
