"""Texts to the words that are searched for: Unicode words, folded, without the little words that say nothing."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from threading import Lock

import regex
import Stemmer  # type: ignore[import-not-found]  # a C extension without types

# Marks belong to their letters: without them Hindi and Thai words fall apart, and Python's ``\w`` leaves them out.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)?")
_NAME = regex.compile(r"(?<![.!?…]\s)(?<!^)\b\p{Lu}[\p{L}\p{M}\p{N}]+")
# Scripts that are written without spaces: their words are found as pairs of neighbouring signs.
# Korean has spaces, but glues its particles to its nouns, so pairs find what whole words miss.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
_ENGLISH_LITTLE = frozenset(
    """a about after again all am an and any are as at be been before but by can could did do does doing for from had
    has have having he her here hers him his how i i'm i've if in into is it it's its just me more most my no nor not
    of off on once only or our ours out over own please same she should so some such tell than that that's the their
    them then there these they this those through to too under until up very was we were what what's when where which
    while who whom whose why will with would you your yours""".split()
)
# Of the languages that people most often write to models in. None that is also an English noun or verb, and none that
# denies: that may be all that a statement and its opposite differ by.
_LITTLE_ELSEWHERE = frozenset(
    """au aux c'est ce cette dans de des du elle est et il j'ai je la le les leur ma mes mon nous ou où que quel
    quelle qui quoi sa ses sur un une vous
    das dem der des ein eine einen einer es für ich im ist meine mein und unser von wann wie wir wo zu
    cómo cuál cuándo del dónde el en es esta este los las mi mis para por qué quién se sus una y
    а без в вы где для и из как какая какие какой когда кто мне мой мои моя мы на наш наша о он она они по с что
    это я
    από για είναι η ή και κι με μου μας να ο οι ποια ποιος ποιο πού πώς στη στην στο στον τα τη την της τι το τον του
    أنا أين إلى عن على في كيف ما متى من هل هو هي و
    और का की के को कौन क्या कब कैसे ने में मेरा मेरी मेरे मैं पर से हम है हैं हूँ
    אני איך איפה את זה לי מה מתי מי של שלי שלנו על עם""".split()
)
_LITTLE = _ENGLISH_LITTLE | _LITTLE_ELSEWHERE

# Without its own cache, which is not ours to bound. One at a time: its authors promise nothing to threads.
_STEMMERS = {
    first: Stemmer.Stemmer(language, 0)
    for first, language in {
        regex.compile(r"[a-z0-9]"): "english",
        regex.compile(r"\p{Cyrillic}"): "russian",
        regex.compile(r"\p{Greek}"): "greek",
        regex.compile(r"\p{Arabic}"): "arabic",
        regex.compile(r"\p{Devanagari}"): "hindi",
        regex.compile(r"\p{Armenian}"): "armenian",
        regex.compile(r"\p{Tamil}"): "tamil",
    }.items()
}
"""By how a word begins, the language of most who write so. Latin letters with marks are of too many languages."""
_STEMMING = Lock()


def words(text: str) -> list[str]:
    """The words of ``text`` in order: folded, stemmed as their script tells; pairs of signs where none parts words."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return [part for word in _WORD.findall(folded) if word not in _LITTLE for part in _parts(word)]


def names(text: str) -> set[str]:
    """The words of an English ``text`` that are written as names are, with a capital inside a sentence; else none.

    German writes every noun so, and many scripts have no capitals.
    """
    english, elsewhere = _little(text)
    if english <= elsewhere:
        return set()
    return {part for name in _NAME.findall(text) for part in words(name)}


def is_english(text: str) -> bool:
    """False when the little words of ``text`` are those of other languages."""
    english, elsewhere = _little(text)
    return english > elsewhere or not elsewhere


def _little(text: str) -> tuple[int, int]:
    """How many little words of ``text`` are English, and how many of other languages; some are both."""
    said = set(_WORD.findall(text.casefold()))
    return len(said & _ENGLISH_LITTLE), len(said & _LITTLE_ELSEWHERE)


def same_text(text: str) -> str:
    """What two texts share when they say the same in the same words: case, spaces and closing marks left out."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .!…。！")


def _parts(word: str) -> list[str]:
    if not _UNSPACED.search(word):
        return [_stem(word)]
    parts: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > end:
            parts.append(_stem(word[end : run.start()]))
        signs = run.group()
        parts.extend([signs] if len(signs) == 1 else [signs[i : i + 2] for i in range(len(signs) - 1)])
        end = run.end()
    if end < len(word):
        parts.append(_stem(word[end:]))
    return parts


@lru_cache(1 << 16)
def _stem(word: str) -> str:
    """The Snowball stem of a word, without a possessive ending; itself in scripts that have no stemmer."""
    word = word.removesuffix("'s")
    stemmer = next((stemmer for first, stemmer in _STEMMERS.items() if first.match(word)), None)
    if stemmer is None or (word[0].isascii() and not word.isascii()):
        return word
    with _STEMMING:
        return str(stemmer.stemWord(word))
