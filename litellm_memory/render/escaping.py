"""Escapes a memory's text for the block: it can neither close the block nor imitate a heading or an entry."""

from __future__ import annotations

from html import escape


def indented(text: str) -> str:
    """``text`` escaped, with its own line breaks; every line after the first is indented."""
    return "\n  ".join(escape(text, quote=False).splitlines())


def on_one_line(text: str) -> str:
    """``text`` escaped, with each run of white space collapsed to one space."""
    return escape(" ".join(text.split()), quote=False)
