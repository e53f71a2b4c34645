"""Checks on a value whose shape suggests a secret. Each returns the part that is one, or ``""`` otherwise."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[str], str]

_CLOSING: Final = ".,;:?)…。、"
_LEAST_ENTROPY: Final = 2.8
"""Shannon entropy, in bits per character. 16 random hex digits have more than 3; words and counters rarely do."""

# Placeholders, which say that a value goes here.
_PLACEHOLDER: Final = re.compile(
    r"(?i)\A(?:.*(?:x{4,}|\*{3,}|\.{3}|…).*|(?:your|my|some|the|insert|enter|add|put|replace|dummy|placeholder|example)"
    r"[_ -].*|.*(?:[_-]here|example|placeholder|change[_-]?me|redacted|secrets\.|vars\.).*|%[sd(].*"
    r"|os\.environ.*|process\.env.*|env[.:/].*|vault:.*|\$.*)\Z"
)
# What source code and documentation have in the place of a value: identifiers, calls, and technical terms.
_NAME: Final = re.compile(
    r"[A-Za-z_][A-Za-z]*(?:(?:[._]|->|::|\?\.)[A-Za-z_][A-Za-z0-9_]*)+|[a-z]+(?:[A-Z][a-z]+)+|[A-Z][a-z]+(?:[A-Z][a-z]+)*"
)
_TERM: Final = re.compile(
    r"(?i)(?:argon2(?:id?|d)?|bcrypt|scrypt|pbkdf2|sha-?\d{1,3}|md5|base64|utf-?8|utf-?16|oauth-?2(?:\.0)?|http/?\d?|none|null|nil"
    r"|true|false|undefined|required|optional|string|varchar\(?\d*\)?|char\(?\d*\)?|self|this|v?\d+(?:\.\d+){1,3}|\d{4}-\d\d-\d\d"
    r"|https?://.*|/.*|\.{1,2}/.*|~/.*)"
)


def basic(value: str) -> str:
    """A user name and password in base64, as in HTTP Basic authentication."""
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return value if ":" in text and text.isprintable() else ""


def password(value: str) -> str:
    """A value in quotes, or after a command-line option, in a password's place; no identifier and no placeholder."""
    return "" if len(value) < 4 or _PLACEHOLDER.match(value) or _is_named(value) or _is_plain(value) else value


def bare(value: str) -> str:
    """An unquoted value in a password's place, as in a config file; source code has an identifier or a call there."""
    value = value.rstrip(_CLOSING)
    if "(" in value or len(value) < 5:
        return ""
    return password(value)


def phrase(value: str) -> str:
    """What a sentence states as a password: it contains a digit or a symbol, so it is no ordinary word."""
    value = value.rstrip(_CLOSING)
    if len(value) < 5 or "(" in value or not _classes(value) - {"letter"}:
        return ""
    return password(value)


def mixed(value: str) -> str:
    """As ``phrase``, with letters too: a number, a date or a sign alone is none."""
    found = phrase(value)
    return found if any(map(str.isalpha, found)) and any(map(str.isdigit, found)) else ""


def encoded(value: str) -> str:
    """Printable ASCII text in base64, with or without its padding."""
    try:
        text = base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return value if len(text) >= 5 and text.isprintable() and not _is_one_case(value) else ""


def random(value: str) -> str:
    """A random-looking value: mixed letters and digits, high entropy, and not shaped like an identifier."""
    value = value.rstrip(_CLOSING)
    if (
        len(value) < 12
        or not any(map(str.isdigit, value))
        or _PLACEHOLDER.match(value)
        or _TERM.fullmatch(value)
        or "://" in value
    ):
        return ""
    pieces = [piece for piece in re.split(r"[^A-Za-z0-9]+", value) if piece]
    if all(re.fullmatch(r"[A-Za-z]+\d{0,3}|[a-z]?\d{1,6}", piece) and not _scrambled(piece) for piece in pieces):
        return ""
    return value if _entropy(value) >= _LEAST_ENTROPY else ""


def card(value: str) -> str:
    """A payment card number: 13 to 19 digits with a valid Luhn check digit."""
    digits = [int(character) for character in value if character.isdigit()]
    shaped = value[0] != "2" or "2200" <= value[:4] <= "2720"
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2 or not shaped or not _evenly_spaced(value):
        return ""
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return value if sum(doubled) % 10 == 0 else ""


def iban(value: str) -> str:
    """The IBAN at the start of ``value``: of its country's length, with valid check digits."""
    length = IBAN_LENGTHS.get(value[:2].upper(), 0)
    places = [place for place, character in enumerate(value) if character.isalnum()]
    if not length or len(places) < length:
        return ""
    found = value[: places[length - 1] + 1]
    letters = "".join(character for character in found if character.isalnum())
    number = int("".join(str(int(character, 36)) for character in letters[4:] + letters[:4]))
    followed = value[len(found) : len(found) + 1].isalnum()
    return found if number % 97 == 1 and not followed else ""


def _is_one_case(value: str) -> bool:
    return value.islower() or value.isupper() or value.isdigit()


def _is_named(value: str) -> bool:
    return _NAME.fullmatch(value) is not None or _TERM.fullmatch(value) is not None


def _is_plain(value: str) -> bool:
    """True for plain words, as in a label or a sentence, which are indistinguishable from a description."""
    return _classes(value) <= {"letter", "blank"} and (value.islower() or value.istitle() or value.isupper())


def _classes(value: str) -> set[str]:
    kinds = {"letter": str.isalpha, "digit": str.isdigit, "blank": str.isspace}
    return {
        next((name for name, holds in kinds.items() if holds(character)), "sign")
        for character in value
        if character not in "_-"
    }


def _scrambled(piece: str) -> bool:
    """True when upper and lower case alternate as in no identifier."""
    changes = sum(a.islower() and b.isupper() for a, b in pairwise(piece))
    return len(piece) >= 16 and changes >= 4 and re.fullmatch(r"[A-Z]?[a-z]+(?:[A-Z][a-z]{2,})+\d{0,3}", piece) is None


def _evenly_spaced(value: str) -> bool:
    """True for a card's layout: one run of digits, or groups of 4 to 6 (the last at least 3) with one separator."""
    groups = re.split(r"[ .-]", value)
    return len({character for character in value if not character.isdigit()}) <= 1 and (
        len(groups) == 1 or (len(groups[-1]) >= 3 and all(4 <= len(group) <= 6 for group in groups[:-1]))
    )


def _entropy(value: str) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


# Total length in characters, from the ISO 13616 registry.
IBAN_LENGTHS: Final[Mapping[str, int]] = {
    country: int(length)
    for length, countries in {
        "15": "NO", "16": "BE", "18": "DK FO FI GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HU LB NI PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU", "31": "MT SC", "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip

CHECKS: Final[Mapping[str, Check]] = {
    "bare": bare,
    "basic": basic,
    "card": card,
    "encoded": encoded,
    "iban": iban,
    "mixed": mixed,
    "password": password,
    "phrase": phrase,
    "random": random,
}
