"""What holds where Python lacks what Unix has: the package can be imported, and says which mode needs what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WITHOUT_UNIX = """
import asyncio, builtins, importlib, os, pkgutil, sys
from pathlib import Path

ABSENT = {"fcntl", "grp", "pwd", "resource", "termios"}
found = builtins.__import__

def imported(name, namespace=None, *rest, **more):
    # The other libraries are as they are on this system; they have their own ways on others.
    importer = (namespace or {}).get("__name__", "")
    if name in ABSENT and importer.split(".")[0] in ("litellm_memory", "filelock"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return found(name, namespace, *rest, **more)

builtins.__import__ = imported
import litellm_memory

names = [module.name for module in pkgutil.walk_packages(litellm_memory.__path__, "litellm_memory.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)

from litellm_memory.errors import StoreError
from litellm_memory.settings import StoreSettings
from litellm_memory.store import open_store

async def open_embedded():
    sys.platform = "win32"
    for name in ("getuid", "EX_CANTCREAT", "fork"):
        delattr(os, name)
    try:
        await open_store(StoreSettings(), Path("nowhere"), embedder="test", dimension=8)
    except StoreError as error:
        print(error)

asyncio.run(open_embedded())
"""


def test_the_whole_package_imports_without_unix_and_embedded_mode_says_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == (
        "store.mode embedded needs Linux or macOS: run a Chroma server and use store.mode server."
    )
