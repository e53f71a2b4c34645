"""The options by which commands say which memories they are about."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from litellm_memory.client.completion import ids, projects

MemoryId: TypeAlias = Annotated[
    str,
    typer.Argument(help="The memory's id, or the first digits of it.", show_default=False, autocompletion=ids),
]
Tags: TypeAlias = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be given several times.")]
Kinds: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--kind", help="fact, preference, decision, instruction or episode; several times."),
]
Since: TypeAlias = Annotated[str | None, typer.Option(help="Said since then: 3d, yesterday, 2026-11-01.")]
Until: TypeAlias = Annotated[str | None, typer.Option(help="Said before then.")]
Grep: TypeAlias = Annotated[str | None, typer.Option(help="Has this in its text, in upper or lower case.")]
State: TypeAlias = Annotated[
    str | None, typer.Option(help="in_force, pinned, waiting, replaced, over or any; any when left out.")
]
ItsProject: TypeAlias = Annotated[str | None, typer.Option("--project", help="The project.", autocompletion=projects)]
