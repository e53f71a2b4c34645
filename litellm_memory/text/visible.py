"""What a reader sees of a text: without the characters that show nothing but reach a model or a terminal."""

from __future__ import annotations

from typing import Final

import regex

# Scripts whose letters join, or are kept from joining, by a zero-width sign between them.
_JOINING: Final = "".join(
    rf"\p{{{script}}}"
    for script in (
        "Arabic Syriac Mongolian Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala"
        " Khmer Myanmar Tibetan Balinese Javanese Limbu Chakma Grantha Newa Brahmi Kaithi Sharada"
    ).split()
)
_UNSEEN: Final = regex.compile(
    r"\x1b\[[\d;?]{0,20}[A-Za-z] | \r\n? | [[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n\t]]+",
    regex.VERBOSE | regex.VERSION1,
)
"""Colours of a terminal, line breaks of other systems, and runs of characters that show nothing."""
_BREAKS: Final = frozenset("\n\r\x85\u2028\u2029")
_MEANT: Final = regex.compile(
    rf"""
      (?<=[{_JOINING}]) [\u200c\u200d]
    | (?<=[\p{{Extended_Pictographic}}\p{{Emoji_Modifier}}] | \p{{Extended_Pictographic}}\ufe0f)
      \u200d (?=\p{{Extended_Pictographic}})
    | (?<=\p{{Extended_Pictographic}}) [\ufe0e\ufe0f] | (?<=[#*0-9]) \ufe0f (?=\u20e3)
    | (?<=\p{{Han}}) [\ufe00-\ufe02\U000e0100-\U000e01ef] | (?<=[\p{{Sm}}\p{{Myanmar}}\p{{Phags_Pa}}]) \ufe00
    | (?<=\p{{Mongolian}}) [\u180b-\u180f]
    | \p{{Prepended_Concatenation_Mark}}                                  # signs of Arabic and Kaithi that are seen
    | (?<=[\p{{Egyptian_Hieroglyphs}}--[\U00013430-\U0001343f]]) [\U00013430-\U0001343f]
    | (?<=\U0001f3f4) \U000e0067\U000e0062                                # the flags of England, Scotland and Wales
      (?:\U000e0065\U000e006e\U000e0067 | \U000e0073\U000e0063\U000e0074 | \U000e0077\U000e006c\U000e0073)
      \U000e007f
    """,
    regex.VERBOSE | regex.VERSION1,
)


def visible(text: str) -> str:
    """``text`` without control, format and other unseen characters, with plain line breaks.

    Kept are those that have a meaning where they stand: in emoji, and between the letters of scripts that join.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    before = ""
    while before != text:  # What stood between two signs may have kept them apart.
        before, text = text, _UNSEEN.sub(_shown, text)
    return text


def _shown(found: regex.Match[str]) -> str:
    """What is left of a run of unseen characters."""
    text, at, end = found.string, *found.span()
    shown = ""
    while at < end:
        meant = _MEANT.match(text, at)
        shown += meant[0] if meant else "\n" if text[at] in _BREAKS and text[at : at + 2] != "\r\n" else ""
        at = meant.end() if meant else at + 1
    return shown
