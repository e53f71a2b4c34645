"""Shapes of texts: what a program wrote in the person's place, and the labels before what the person wrote.

Each shape says what a text does (it repeats a file, names its machine in a header, tells a model how to answer), so
that one covers many clients. Words that only one client says are in `own_words.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_LONGEST_FRAMED: Final = 200_000
"""Characters in which a frame is searched."""
_SAMPLE: Final = 800
"""Characters of the beginning and of the end of a text that say what a model is to do with the rest."""
_SHORTEST_ORDERS: Final = 120
"""Characters. Nobody explains to a model in fewer what facts are and how to list them."""
_SAMPLES: Final = 2048
"""How many texts are remembered with what they order: a system text comes with every request."""

_LONGEST_LABEL: Final = 160
"""Characters in which the name of a speaker ends."""

_MACHINE: Final = re.compile(
    r"""
      \[ (?: [^\]\n]{0,60}[\s\[:_-] )?                                 # a header in brackets that names a machine
         (?: system | sub-?agent | cron | heartbeat | hook | scheduled? | automat\w+ | notification | interrupted )
         (?: [\s:\]_-] [^\]\n]* )? (?: \] | \n | \Z )
    | (?-i:[A-Z])\w*(?::\w+)?\ hook\ [\w ]{1,30}:                      # what a hook says
    | another\ (?:\w+\ ){1,3} (?:sent|started|wrote|asked|reported|finished)\b    # what another model says
    | this\ session\ is\ being\ (?:continued|resumed) | a\ new\ session\ was\ started
    | this\ is\ the\ [\w ]{3,30}\.\ we\ are\ setting\ up\ the\ context
    | (?:implement|execute|carry\ out)\ the\ following\ plan:
    | base\ directory\ (?:for|of)\ [\w ]{1,30}:
    | ---\s*\n (?:[\w-]+:[^\n]*\n | [ \t][^\n]*\n)+ ---\s*(?:\n|\Z)    # the front matter of a file
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A reply in the signs of a protocol, as programs want it of a model: "reply HEARTBEAT_OK", "answer with: NO_REPLY".
_PROTOCOL: Final = re.compile(
    r"\b(?:reply|(?:reply|respond|answer)\s(?:with\s)?(?:only|exactly|just))(?:\swith)?(?:\s(?:only|exactly|just))?"
    r"[:\s`\"']{1,4}(?-i:[A-Z]{2,}(?:_[A-Z]+)+)\b",
    re.IGNORECASE,
)
# What memory products and their like tell a model: who it is, what to do, with which data, for what, and how to answer.
_ORDERS: Final = tuple(
    re.compile(rf"(?im){pattern}")
    for pattern in (
        r"^\W{0,4}(?:hello[\w ]{0,20}, )?(?:you are|your (?:task|job|role|goal)"
        r"|(?:given|based on|below is|here is|from|analy[sz]e|extract|identify|review|read|process)\b)",
        r"\b(?:extract|identif|distil|organi[sz]|record|captur|observ|consolidat|dedup|summari[sz]|determin|updat)",
        r"\b(?:conversation|dialogue|transcript|messages?|chat|session|episodes?|interaction"
        r"|(?:input|given|following) text|from (?:the )?text)",
        r"\b(?:facts?|entit(?:y|ies)|memor(?:y|ies)|observations?|nodes?|edges?|preferences|relationships?|tripl\w+"
        r"|personal (?:information|details)|insights)\b",
        r"\b(?:json|xml|yaml|schema|format|structured?|guidelines)\b|<\w+>|(?:return|output)\b[^\n]{0,30}\blist\b",
    )
)

# When and where a message came in, in brackets: [Discord 2026-03-18 11:45], [06:18 PM on 07 March, 2026]:
_STAMP: Final = re.compile(r"\[(?=[^\]\n]{0,120}(?:\d:\d\d|\d{4}-\d\d-\d\d))[^\]\n]{4,160}\]:?[ \t]+")
# What a chat bridge adds as JSON: "Sender (untrusted metadata):" and a fence.
_METADATA: Final = re.compile(r"[^\n(]{3,60}\(untrusted[^)\n]{0,60}\):\s*```\w*\n.*?\n```\s*", re.DOTALL)
# What happened meanwhile, a line for each: "System: [2026-03-18 11:45] The channel is up."
_EVENTS: Final = re.compile(r"(?:System(?: \([^)\n]{1,40}\))?: {1,4}\[[^\n]*(?:\n+|\Z))+")
# From the first of several blanks: from each of them, it would read all of them.
_ENDING: Final = re.compile(r"(?<!\s)\s*\[message_?id:[^\]\n]{1,80}\]\s*\Z", re.IGNORECASE)
_NAME: Final = re.compile(
    r"[^\W\d_][\w.'’-]{0,30}(?:[ ][^\W\d_][\w.'’-]{0,30}){0,2}(?:[ ]?\([^)\n]{1,60}\))?:[ \t]+(?=\S)"
)
_STAMPS: Final = re.compile(rf"(?m)^{_STAMP.pattern}")
_NAMES: Final = re.compile(rf"(?m)^{_NAME.pattern}")
_FIRST_PERSON: Final = (
    r"(?:I|I['’]\w+|[Mm]y|[Ww]e|[Oo]ur|[Ii]ch|[Mm]eine?|[Jj]e|[Mm]on|[Mm]a|[Yy]o|[Mm]i)\b|[JjMm]['’]|我"
)
_SPEAKS: Final = re.compile(_FIRST_PERSON)
_SAYS_I: Final = re.compile(rf"(?<!\w)(?:{_FIRST_PERSON})")

# The person's words inside a text that a program made: of DSPy, CrewAI, LangChain, chat bridges, and of Claude Code for
# what was typed while it worked.
_FRAMES: Final = {
    "[[ ## ": re.compile(r"(?s).*\[\[ ## \w+ ## \]\](.*?)(?:Respond with the corresponding output field|\Z)"),
    "Current Task:": re.compile(
        r"(?s)\s*Current Task:(.*?)(?:This is the expec|Begin! This is|Provide your complete response|\Z)"
    ),
    "\nBegin!": re.compile(r"(?s)(?>.*\nBegin!\s)(?>.*?Question: )(.*?)\nThought:"),
    "[Current message": re.compile(r"(?s).*\[Current message[^\]\n]{0,200}\]\s*(.*)"),
    "The user sent ": re.compile(
        r"(?s).*?The user sent (?:a new|the following) message[^\n:]{0,60}:(.*?)"
        r"(?:\n\n(?:Please|IMPORTANT)|</|\Z)"
    ),
}
_DSPY_END: Final = "Respond with the corresponding output field"

_INTRODUCTION: Final = re.compile(r"[^\n]{1,160}\n\s*\n")
_HEADING: Final = re.compile(r"#{1,4} \S")
_STEP: Final = re.compile(r"(?m)^(?:#{1,4} \S|[^\S\n]*(?:[-*•]|\d{1,2}[.)]) \S)")


def is_machine(text: str) -> bool:
    """True for a text that begins as no person does, or wants a reply in the signs of a protocol."""
    return _MACHINE.match(text) is not None or ("_" in text and _PROTOCOL.search(text) is not None) or orders(text)


def orders(text: str) -> bool:
    """True for a text that tells a model to get facts out of a conversation, as the prompts of memory products do."""
    return len(text) >= _SHORTEST_ORDERS and _orders(
        text if len(text) <= 2 * _SAMPLE else f"{text[:_SAMPLE]}\n{text[-_SAMPLE:]}"
    )


@lru_cache(maxsize=_SAMPLES)
def _orders(sample: str) -> bool:
    return all(sign.search(sample) for sign in _ORDERS)


def framed(text: str) -> str | None:
    """The person's words in a text that a program put together; None when it is none of those that are known."""
    for mark, frame in _FRAMES.items():
        if mark in text and (found := frame.match(text[:_LONGEST_FRAMED].partition(_DSPY_END)[0])) is not None:
            return found[1].strip()
    return None


def unlabelled(text: str) -> str:
    """``text`` without labels that say when, where and by whom it was said; empty when that is somebody of a group.

    A chat with one person names nobody after its label; a chat with several names each, and who of them the owner is
    cannot be known. A text of several labels is a paste and stays as it is.
    """
    if not text.startswith("[") and ":" not in text[:_LONGEST_LABEL]:
        return text
    bare = _without_stamps(text)
    stamped, name = bare != text, _NAME.match(bare)
    if stamped and len(_STAMPS.findall(bare)) == 0:
        return "" if name else _ENDING.sub("", bare)
    alone = name is not None and _SPEAKS.match(bare, name.end()) and len(_NAMES.findall(bare)) == 1
    return bare[name.end() :] if name and alone and not stamped else text


def speaker(text: str) -> str | None:
    """The name before what somebody says, without labels before it; None when there is none."""
    bare = _without_stamps(text.strip())
    name = _NAME.match(bare)
    return name[0].strip() if name and (bare != text or _SPEAKS.match(bare, name.end())) else None


def _without_stamps(text: str) -> str:
    start = 0
    # Not from what is left each time: a megabyte of labels would be copied once for each of them.
    while label := _STAMP.match(text, start) or _METADATA.match(text, start) or _EVENTS.match(text, start):
        start = label.end()
    return text[start:]


def repeats_a_file(text: str) -> bool:
    """True for a document with headings and steps in which nobody says I: the text of a skill, a command or a plan.

    A line before it may introduce it.
    """
    introduction = _INTRODUCTION.match(text)
    start = introduction.end() if introduction and not _HEADING.match(text) else 0
    if not _HEADING.match(text, start):
        return False
    return len(_STEP.findall(text, start, start + 8_000)) > 1 and _SAYS_I.search(text, start, start + 8_000) is None
