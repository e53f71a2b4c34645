"""Adds memory's line to an existing config; everything else in it stays as it is."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any, Final

import yaml

from litellm_memory.errors import CommandError
from litellm_memory.setup.config import HANDLER

LINE: Final = f'callbacks: ["{HANDLER}"]'
BY_HAND: Final = f"Add it yourself: under litellm_settings put {LINE}."


def joined(text: str) -> str:
    """The config with memory's handler among LiteLLM's callbacks; unchanged when it is there. Raises CommandError."""
    before = _parsed(text)
    section = before.get("litellm_settings") or {}
    known = section.get("callbacks") if isinstance(section, dict) else None
    if isinstance(known, list) and HANDLER in known:
        return text
    after = _edited(text)
    others = known if isinstance(known, list) else [known] if known else []
    if not _differs_by_the_line_alone(before, _read(after), others):
        raise CommandError(f"This config is written in a way that cannot be edited safely. {BY_HAND}")
    return after


def difference(before: str, after: str, name: str) -> str:
    """The change as a unified diff."""
    lines = unified_diff(before.splitlines(True), after.splitlines(True), name, name, n=2)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _edited(text: str) -> str:
    root = yaml.compose(text)
    sections = {key.value: (key, value) for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
    if "litellm_settings" not in sections:
        return f"{text.rstrip()}\n\nlitellm_settings:\n  {LINE}\n".lstrip("\n")
    key, section = sections["litellm_settings"]
    if not isinstance(section, yaml.MappingNode):
        # The entry has no items.
        end = key.end_mark.index + 1
        return f"{text[:end]}\n  {LINE}{text[end:]}"
    callbacks = next((value for name, value in section.value if name.value == "callbacks"), None)
    if callbacks is None:
        return _before(text, section, LINE, ", " if section.value else "")
    if isinstance(callbacks, yaml.SequenceNode):
        separator = ", " if callbacks.value else ""
        return _before(text, callbacks, f'"{HANDLER}"' if callbacks.flow_style else f"- {HANDLER}", separator)
    start, end = callbacks.start_mark.index, callbacks.end_mark.index
    return f'{text[:start]}[{text[start:end]}, "{HANDLER}"]{text[end:]}'


def _before(text: str, node: yaml.CollectionNode, entry: str, separator: str) -> str:
    """``entry``, inserted before the first one of a mapping or a list, in its style."""
    start = node.start_mark.index
    if node.flow_style:
        return f"{text[: start + 1]}{entry}{separator}{text[start + 1 :]}"
    return f"{text[:start]}{entry}\n{' ' * node.start_mark.column}{text[start:]}"


def _differs_by_the_line_alone(before: dict[str, Any], after: Any, others: list[Any]) -> bool:
    section = after.get("litellm_settings") if isinstance(after, dict) else None
    callbacks = section.get("callbacks") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(callbacks, list):
        return False
    kept = {name: value for name, value in section.items() if name != "callbacks"}
    was = {name: value for name, value in (before.get("litellm_settings") or {}).items() if name != "callbacks"}
    rest = {name: value for name, value in after.items() if name != "litellm_settings"}
    return bool(
        sorted(map(str, callbacks)) == sorted(map(str, [*others, HANDLER]))
        and kept == was
        and rest == {name: value for name, value in before.items() if name != "litellm_settings"}
    )


def _parsed(text: str) -> dict[str, Any]:
    parsed = _read(text)
    if not isinstance(parsed, dict):
        raise CommandError(f"This is no LiteLLM config: it has to be a mapping in YAML. {BY_HAND}")
    return parsed


def _read(text: str) -> Any:
    """The value of a YAML text, an empty mapping for an empty one; None for invalid YAML."""
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError:
        return None
