"""The prose that the sender of a message wrote: without code, logs, stack traces, quotes and other people's mails."""

from __future__ import annotations

import re

from litellm_memory.extract.languages import languages
from litellm_memory.text.chinese import simplified

PASTED_SHARE = 0.6
"""A paragraph with at least this share of pasted lines is a paste as a whole: the other lines are wrapped output."""

LONGEST_READ = 8_000
"""Characters. Of a longer message the beginning and the end are read: people write before or after what they paste."""
LONGEST_LINE = 4_000
"""Characters. Nobody types a longer line."""

CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_QUOTED = re.compile(r">")
_MACHINE = re.compile(
    r"""(?:
      [\[(]?\d{4}-\d\d-\d\d[T ]\d\d:\d\d                                     # a log's time
    | \[?(?:ERROR|WARN|WARNING|INFO|DEBUG|FATAL|TRACE|PASS|FAIL|PASSED|FAILED)\b\]?[\s:]
    | Traceback\ |File\ "|at\ [\w.$<>/]+\ ?\(|Caused\ by:|[\w.]*(?:[Ee]rror|Exception):\s
    | [$%]\s+\S | diff\ --git | --- | \+\+\+ | @@ | [+-]\w
    | \#\s | //\s | /\*
    | (?:def|class|import|function|const|let|var|return|public|private|static|elif|\#include)\b(?=.*[(){}=;:'"])
    | else: | try:
    | from\s\S+\simport\b
    | [\w.]+\([^)]*\)\s*$ | [\w.\[\]]+\s*=\s*\S
    | [\[{].*[\]}],?\s*$ | "[\w-]+"\s*: | </?\w[^>]*> | \|.*\|
    | .*[{};]\s*$
    )""",
    re.VERBOSE,
)
_WRAPPED_FROM = 50
"""Characters. A line of at least this length that ends without punctuation continues in the next one."""


def own_prose(text: str) -> str:
    """The prose in ``text`` that its sender wrote; paragraphs stay apart, wrapped lines are joined."""
    if len(text) > LONGEST_READ:
        text = f"{text[: LONGEST_READ // 2]}\n\n{text[-LONGEST_READ // 2 :]}"
    own = _before_others(CODE.sub("\n", text))
    kept = [_prose(paragraph.split("\n")) for paragraph in re.split(r"\n\s*\n", own)]
    return "\n\n".join(paragraph for paragraph in kept if paragraph)


def _before_others(text: str) -> str:
    """``text`` without quoted lines, and without a mail that follows the line which names its sender."""
    lines = [line.strip() for line in text.split("\n") if len(line) <= LONGEST_LINE]
    for number, line in enumerate(lines):
        if any(language.others.match(simplified(line)) for language in languages()):
            rest = [later for later in lines[number + 1 :] if later.strip()]
            after = [later for later in rest if not _QUOTED.match(later)]
            # Quote marks show where the other mail ends; without them it continues to the end.
            lines = lines[:number] + (after if rest and _QUOTED.match(rest[0]) else [])
            break
    return "\n".join(line for line in lines if not _QUOTED.match(line))


def _prose(lines: list[str]) -> str:
    filled = [line for line in lines if line]
    own = [line for line in filled if not _MACHINE.match(line)]
    if len(filled) - len(own) >= PASTED_SHARE * len(filled):
        return ""
    prose = ""
    for line in own:
        wrapped = len(prose.rsplit("\n", 1)[-1]) >= _WRAPPED_FROM and prose[-1:].isalnum() and line[:1].islower()
        prose += (" " if wrapped else "\n" if prose else "") + line
    return prose
