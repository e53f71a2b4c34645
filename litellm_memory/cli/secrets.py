"""Secrets that an older version stored, on the command line: found, and redacted on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litellm_memory.cli.erase import ErasureRequest, erased
from litellm_memory.cli.reach import sidecar
from litellm_memory.terminal.print import as_json, say, table


async def audited_secrets(
    *, fix: bool, url: str | None, key: str | None, config: Path, partition: str | None
) -> dict[str, Any]:
    """The findings, once the files no longer hold what was redacted."""
    async with sidecar(url=url, key=key, config=config, partition=partition) as answering:
        found = dict(await answering.ask("POST", "/v1/audit/secrets", json={"fix": fix}))
        if found["fixed"]:
            found["job"] = await erased(answering, ErasureRequest("POST", "/v1/jobs"))
        return found


def print_secrets(found: dict[str, Any], in_json: bool) -> None:
    """Prints where secrets are and of what kinds; never the secrets."""
    if in_json:
        as_json(found)
        return
    rows = (
        (kept["place"], ", ".join(f"{count} {kind}" for kind, count in kept["kinds"].items()), " ".join(kept["ids"]))
        for kept in found["data"]
    )
    table(("where", "what", "ids"), rows, empty="No secret is kept.")
    if found["data"]:
        say("They are redacted now." if found["fixed"] else "Redact them with --fix secret, and change them.")
