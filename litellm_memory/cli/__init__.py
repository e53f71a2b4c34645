"""``litellm-memory`` on the command line: tables for people, ``--json`` for scripts.

The exit code is 0, 1 when something is wrong, 2 for wrong usage.

A command is imported and built when it is called: to build all of them takes longer than most take to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from litellm_memory import __version__

COMMANDS: Mapping[str, str] = {
    "init": "setup.init",
    "check": "setup.check",
    "identify": "routing.identify",
    "search": "memories.search",
    "add": "memories.add",
    "list": "memories.list_memories",
    "show": "memories.show",
    "edit": "memories.edit",
    "forget": "memories.forget",
    "tag": "bulk.tag_memories",
    "undo": "memories.undo",
    "export": "portable.export",
    "import": "portable.import_memories",
    "retention": "retention.retention",
    "backup": "saving.backup",
    "restore": "saving.restore",
    "review": "quality.review",
    "share": "sharing.share",
    "audit": "quality.audit_memories",
    "preview": "traces.preview",
    "trace": "traces.trace",
    "eval": "evaluation.evaluate",
    "usage": "usage.usage",
    "partitions": "people.partitions",
    "pause": "people.pause",
    "resume": "people.resume",
    "agree": "people.agree",
    "withdraw": "people.withdraw",
    "reembed": "reembed.reembed_memories",
    "serve": "setup.serve",
    "version": "setup.version",
    "model": "setup.model",
}
"""Each command's function, or group of functions, in a module beside this one."""


class Commands(Mapping[str, Any]):
    """The commands by name, each built when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        module, _, function = COMMANDS[name].partition(".")
        called = getattr(import_module(f"{__name__}.{module}"), function)
        if isinstance(called, typer.Typer):
            # A group of one command stays a group.
            command: Any = typer.main.get_group(called)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(name)(called)
            command = typer.main.get_command(alone)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """The command line's first word."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()  # type: ignore[assignment]  # nothing is added to it


def print_version(wanted: bool) -> None:
    """Prints the version and ends the command when it is ``wanted``."""
    if wanted:
        from litellm_memory.terminal.print import say

        say(__version__)
        raise typer.Exit


app = typer.Typer(
    name="litellm-memory",
    cls=Group,
    no_args_is_help=True,
    # A traceback would show the arguments of a command, and those may include a key.
    pretty_exceptions_enable=False,
)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Long-term memory behind a LiteLLM proxy."""
