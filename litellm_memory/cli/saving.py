"""Backup and restore on the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from litellm_memory.cli.reach import CONFIG, AsJson, Config, run
from litellm_memory.terminal.print import as_json, say

if TYPE_CHECKING:
    from litellm_memory.care.backup import Manifest


def backup(
    target: Annotated[
        Path, typer.Argument(help="A new directory, or an archive: .tar, .tar.gz or .tgz.", show_default=False)
    ],
    config: Config = CONFIG,
    in_json: AsJson = False,
) -> None:
    """Copy all data of this host while the proxy runs; run it as the proxy's user."""
    from litellm_memory.care.backup import back_up
    from litellm_memory.settings import read_settings

    async def saved() -> Manifest:
        settings = await asyncio.to_thread(read_settings, config)
        say(f"Copying {settings.data_dir}.", err=True)
        return await asyncio.to_thread(back_up, settings, target)

    _tell(run(saved()), f"The backup is in {target}.", in_json)


def restore(
    source: Annotated[Path, typer.Argument(help="What `backup` made.", show_default=False)],
    into: Annotated[Path | None, typer.Option(help="A new data_dir; the config's when left out.")] = None,
    config: Config = CONFIG,
    in_json: AsJson = False,
) -> None:
    """Put a backup into a data_dir that is new or empty."""
    from litellm_memory.care.backup import restore as put_back
    from litellm_memory.settings import read_settings

    async def restored() -> tuple[Path, Manifest]:
        data_dir = into or (await asyncio.to_thread(read_settings, config)).data_dir
        return data_dir, await asyncio.to_thread(put_back, source, data_dir)

    data_dir, manifest = run(restored())
    _tell(manifest, f"The data are in {data_dir}: name it as data_dir, and start the proxy.", in_json)


def _tell(manifest: Manifest, done: str, in_json: bool) -> None:
    if in_json:
        named = {"made": manifest.made, "version": manifest.version, "files": len(manifest.files)}
        as_json({**named, "store": manifest.store})
    else:
        say(done)
