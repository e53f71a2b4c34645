"""Every regular expression of the package, and texts that are made to be slow for it."""

from __future__ import annotations

import functools
import gc
import importlib
import pkgutil
import re
import sys
import time
import types
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

# The parser of `re` is the only one that there is; its names have had no underscore before.
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import regex

import litellm_memory
from litellm_memory.extract.languages import languages
from litellm_memory.redact import redact
from litellm_memory.request.kinds import built_in_rules
from litellm_memory.screening import shown_aim

PATTERNS = (re.Pattern, type(regex.compile("")))
CONTAINERS = (dict, list, tuple, set, frozenset, types.MappingProxyType, types.CellType, types.MethodType)
CALLABLES = (functools.partial, types.BuiltinMethodType, type(functools.cache(str)))
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
MANY = 3
"""Repetitions from which on one may be slow."""
BEFORE = 60
"""Characters of what comes before a repetition."""
OF_A_CLASS = {
    codes.CATEGORY_DIGIT: "1",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_WORD: "a",
    codes.CATEGORY_NOT_DIGIT: "a",
    codes.CATEGORY_NOT_SPACE: "a",
    codes.CATEGORY_NOT_WORD: " ",
}


def patterns_in_use() -> list[tuple[str, Any]]:
    """Each pattern that a module, its classes, its data and its caches hold, with the name of the module."""
    found: dict[tuple[str, str, int], tuple[str, Any]] = {}
    for module in pkgutil.walk_packages(litellm_memory.__path__, "litellm_memory."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in [one for one in sys.modules if one.split(".")[0] == "litellm_memory"]:
        for pattern in _reachable(name):
            found.setdefault(_key(pattern), (name, pattern))
    return list(found.values())


def patterns_of_the_package() -> list[tuple[str, Any]]:
    """As ``patterns_in_use``, without those that other tests of this process have put there: an operator's own rules
    may be as slow as they like."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        own = pool.submit(_keys_with_all_loaded).result()
    return [(name, pattern) for name, pattern in patterns_in_use() if _key(pattern) in own]


def _keys_with_all_loaded() -> set[tuple[str, str, int]]:
    load_all()
    return {_key(pattern) for _, pattern in patterns_in_use()}


def load_all() -> None:
    """Compiles the patterns that are compiled when they are first needed."""
    languages()
    redact("password: x")
    shown_aim("Ignore 我")
    built_in_rules()


def _key(pattern: Any) -> tuple[str, str, int]:
    return type(pattern).__module__, pattern.pattern, pattern.flags


def _reachable(name: str) -> Iterator[Any]:
    seen: set[int] = set()
    rest = [value for key, value in vars(sys.modules[name]).items() if not key.startswith("__")]
    while rest:
        item = rest.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, PATTERNS):
            yield item
        elif isinstance(item, (*CONTAINERS, *CALLABLES)):
            rest += gc.get_referents(item)
        elif isinstance(item, types.FunctionType) and item.__module__ == name:
            rest += [*(item.__closure__ or ()), *(item.__defaults__ or ())]
        elif isinstance(item, type) and item.__module__ == name:
            rest += vars(item).values()
        elif type(item).__module__.split(".")[0] == "litellm_memory":
            slots = (slot for base in type(item).__mro__ for slot in getattr(base, "__slots__", ()))
            rest += [*gc.get_referents(item), *(getattr(item, slot) for slot in slots if hasattr(item, slot))]


@dataclass
class Attacks:
    """What a pattern repeats, each with what it wants before that."""

    found: list[tuple[str, str]] = field(default_factory=list)
    groups: dict[Any, str] = field(default_factory=dict)

    def follow(self, tree: Any, text: str) -> str:
        """``text`` and after it something that the pattern matches."""
        for code, value in tree:
            text = self._one(code, value, text)
        return text

    def _one(self, code: Any, value: Any, text: str) -> str:
        if code in REPEATS:
            return self._repeat(*value, text)
        match code:
            case codes.LITERAL:
                return text + chr(value)
            case codes.NOT_LITERAL:
                return text + ("b" if chr(value) == "a" else "a")
            case codes.ANY:
                return f"{text}a"
            case codes.IN:
                return text + _members(value)[0]
            case codes.BRANCH:
                first, *_ = [self.follow(branch, text) for branch in value[1]]  # all of them repeat something
                return first
            case codes.SUBPATTERN:
                after = self.follow(value[3], text)
                self.groups[value[0]] = after[len(text) :]
                return after
            case codes.ATOMIC_GROUP:
                return self.follow(value, text)
            case codes.ASSERT | codes.ASSERT_NOT:
                if value[0] > 0:
                    self.follow(value[1], text)
                return text
            case codes.GROUPREF:
                return text + self.groups.get(value, "")
        return text

    def _repeat(self, least: int, most: int, body: Any, text: str) -> str:
        unit = self.follow(body, text)[len(text) :]
        if most is codes.MAXREPEAT or most > MANY:
            units = [unit, " ", "\n"]
            for code, value in body:
                units += _members(value) if code is codes.IN else ["a ", ". "] if code is codes.ANY else []
            self.found += [(text[-BEFORE:], one) for one in units if one]
        return text + unit * max(1, least)


def _members(alternatives: Sequence[tuple[Any, Any]]) -> list[str]:
    """Some characters of a class, or one that is in none of those that it excludes."""
    given = [_of(code, value) for code, value in alternatives if code is not codes.NEGATE]
    if alternatives[0][0] is not codes.NEGATE:
        return list(dict.fromkeys(given))
    excluded = re.compile("[" + "".join(_written(code, value) for code, value in alternatives[1:]) + "]")
    return [one for one in "a 1A.-,:/'\"<>[]{}()\n我é" if not excluded.match(one)] or ["a"]


def _of(code: Any, value: Any) -> str:
    return OF_A_CLASS[value] if code is codes.CATEGORY else chr(value[0] if code is codes.RANGE else value)


def _written(code: Any, value: Any) -> str:
    if code is codes.CATEGORY:
        return {"1": r"\d", " ": r"\s", "a": r"\w"}[OF_A_CLASS[value]]
    return "-".join(re.escape(chr(one)) for one in (value if code is codes.RANGE else (value,)))


def attacks_on(pattern: Any) -> list[tuple[str, str]]:
    """Beginnings and what is repeated after them, which are slow for ``pattern`` if anything is."""
    plain = re.sub(r"\\[pP]\{[^}]*\}", "a", pattern.pattern)
    try:
        with warnings.catch_warnings():
            # A class of `regex` may read like a set difference of tomorrow's `re`.
            warnings.simplefilter("ignore", FutureWarning)
            tree = parser.parse(plain, pattern.flags & (re.IGNORECASE | re.DOTALL | re.MULTILINE | re.VERBOSE))
    except re.error:
        return [("", one) for one in "a 1\n"]
    attacks = Attacks()
    whole = attacks.follow(tree, "")
    begun = [("", before) for before, _ in attacks.found] + [("", before + unit) for before, unit in attacks.found]
    return [one for one in dict.fromkeys([*attacks.found, *begun, ("", whole)]) if one[1]]


def seconds(pattern: Any, text: str, *, once: bool = False) -> float:
    """Processor time of this thread for all matches in ``text``, or ``once`` for one at its beginning.

    The least of three when it is not short.
    """
    taken: list[float] = []
    while len(taken) < 3 and (not taken or min(taken) > 0.002):
        begun = time.thread_time()
        for _ in [pattern.match(text)] if once else pattern.finditer(text):
            pass
        taken.append(time.thread_time() - begun)
    return min(taken)
