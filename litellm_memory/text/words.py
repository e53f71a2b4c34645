"""Tokenises texts for word search: Unicode words, case-folded and stemmed, without stop words."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from threading import Lock

import regex
import Stemmer  # type: ignore[import-not-found]  # a C extension without types

from litellm_memory.text.chinese import simplified

# Combining marks are part of a word: Python's ``\w`` excludes them, which would split Hindi and Thai words.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)?")
_NAME = regex.compile(r"(?<![.!?…]\s)(?<!^)\b\p{Lu}[\p{L}\p{M}\p{N}]+")
# Scripts without spaces between words are indexed as character bigrams.
# Korean has spaces, but appends particles to nouns, so bigrams find what whole words miss.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
_ENGLISH_STOP_WORDS = frozenset(
    """a about after again all am an and any are as at be been before but by can could did do does doing for from had
    has have having he her here hers him his how i i'm i've if in into is it it's its just me more most my no nor not
    of off on once only or our ours out over own please same she should so some such tell than that that's the their
    them then there these they this those through to too under until up very was we were what what's when where which
    while who whom whose why will with would you your yours""".split()
)
# Stop words of other common languages. None that is also an English noun or verb, and no negations: one may be the only
# difference between a statement and its opposite.
_OTHER_STOP_WORDS = frozenset(
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
_STOP_WORDS = _ENGLISH_STOP_WORDS | _OTHER_STOP_WORDS

# PyStemmer's own cache is off (size 0); ``_stem`` has a bounded one. Under a lock: it does not promise thread safety.
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
"""Stemmers by the first letter of a word. Accented Latin letters have none: they occur in too many languages."""
_STEMMING = Lock()


_LETTER = regex.compile(r"\p{L}")
_READ_BY_ENCODER = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Arabic}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]")
"""The scripts of the languages that the multilingual encoder was made for; it takes a text in others for any other."""


def read_by_encoder(text: str) -> bool:
    """True when nearly all letters of ``text`` are of scripts that the multilingual encoder reads."""
    letters = _LETTER.findall(text)
    return sum(map(bool, map(_READ_BY_ENCODER.match, letters))) >= 0.8 * len(letters) > 0


def words(text: str) -> list[str]:
    """The search terms of ``text`` in order: case-folded, stemmed by script, bigrams in scripts without spaces.

    Chinese is in simplified characters, whichever it is written in.
    """
    return [part for word in spoken(text) for part in parts(word)]


def spoken(text: str) -> list[str]:
    """The words of ``text`` in order, folded and without stop words; a run without spaces is one word."""
    return [word for word in _WORD.findall(folded(text)) if word not in _STOP_WORDS]


def folded(text: str) -> str:
    """``text`` as it is compared: without case or variants of characters."""
    return simplified(unicodedata.normalize("NFKC", text)).casefold().replace("’", "'")


def names(text: str) -> set[str]:
    """The words of an English ``text`` that are capitalised within a sentence; none for other languages.

    German capitalises every noun, and many scripts have no capitals.
    """
    english, elsewhere = _stop_words(text)
    if english <= elsewhere:
        return set()
    return {part for name in _NAME.findall(text) for part in words(name)}


def is_english(text: str) -> bool:
    """False when most stop words of ``text`` are those of other languages."""
    english, elsewhere = _stop_words(text)
    return english > elsewhere or not elsewhere


def _stop_words(text: str) -> tuple[int, int]:
    """How many stop words of ``text`` are English, and how many are of other languages; some are both."""
    said = set(_WORD.findall(text.casefold()))
    return len(said & _ENGLISH_STOP_WORDS), len(said & _OTHER_STOP_WORDS)


def same_text(text: str) -> str:
    """A normal form to find duplicates: case, white space and final punctuation are ignored."""
    return " ".join(simplified(unicodedata.normalize("NFKC", text)).casefold().split()).rstrip(" .!…。！")


def parts(word: str) -> list[str]:
    """The search terms of one word: its stem, or the bigrams of a script without spaces."""
    if word.isascii() or not _UNSPACED.search(word):
        return [_stem(word)]
    found: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > end:
            found.append(_stem(word[end : run.start()]))
        signs = run.group()
        found.extend([signs] if len(signs) == 1 else [signs[i : i + 2] for i in range(len(signs) - 1)])
        end = run.end()
    if end < len(word):
        found.append(_stem(word[end:]))
    return found


@lru_cache(1 << 16)
def _stem(word: str) -> str:
    """The Snowball stem of a word, without a possessive ending; the word itself in scripts without a stemmer."""
    word = word.removesuffix("'s")
    stemmer = next((stemmer for first, stemmer in _STEMMERS.items() if first.match(word)), None)
    if stemmer is None or (word[0].isascii() and not word.isascii()):
        return word
    with _STEMMING:
        return str(stemmer.stemWord(word))
