"""``litellm-memory`` on the command line: tables for people, ``--json`` for scripts, exit code 0 or 1."""

from __future__ import annotations

import typer

from litellm_memory.cli import memories, portable, quality, reembed, routing, setup, traces, usage

COMMANDS = (
    setup.init,
    setup.check,
    routing.identify,
    memories.search,
    memories.add,
    memories.list_memories,
    memories.show,
    memories.edit,
    memories.forget,
    portable.export,
    portable.import_memories,
    quality.review,
    quality.audit_memories,
    traces.preview,
    traces.trace,
    usage.usage,
    reembed.reembed_memories,
    setup.serve,
    setup.version,
)
NAMES = {
    memories.list_memories: "list",
    portable.import_memories: "import",
    quality.audit_memories: "audit",
    reembed.reembed_memories: "reembed",
}
"""Command names that differ from the function's, which would shadow a Python or package name."""

app = typer.Typer(
    name="litellm-memory",
    no_args_is_help=True,
    # A traceback would show the arguments of a command, and those may include a key.
    pretty_exceptions_enable=False,
    help="Long-term memory behind a LiteLLM proxy.",
)
for command in COMMANDS:
    app.command(NAMES.get(command))(command)
app.add_typer(setup.model, name="model")
