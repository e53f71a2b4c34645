"""Whether a person wishes to be answered without their memories: in this conversation, or for a day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from litellm_memory.text.chinese import simplified
from litellm_memory.text.sentences import sentences

Unasked: TypeAlias = Literal["conversation", "day"]
"""How long the wish holds. Where nothing is said of that, for a day: the person sees that and turns it back."""

LONGEST: Final = 300
"""Characters of a message that is read for such a wish: longer ones are about something else."""
_HINTS: Final = (
    *("memor", "of me", "about me", "erinner", "gedächtnis", "über mich", "souvenir", "mémoire", "de moi", "sur moi"),
    *("recuerdo", "de mí", "记忆", "記憶"),
)
"""What every such wish has in it. Few messages do, so most are read no further."""
_HERE: Final = re.compile(
    r"(?i)\bthis \w+|\bhere\b|\bdies\w* \w+|\bhier\b|\bcett?e? \w+|\bici\b|\best[ea] \w+|\baquí\b|这|這|此|本次"
)
_END: Final = " .!?。！？…\"')"

# Each describes a whole sentence: "stop using my memory cache" is about a program.
_ENGLISH: Final = (
    r"(?:(?:please|could you|can you|i(?:'d like| want) you to|you (?:may|should|must)),? ){0,4}"
    r"(?:(?:(?:do not|don't|never|not)(?: please)? (?:use|recall|consult|bring up|look up|look at|give me|show me)"
    r"|(?:stop|quit) (?:using|recalling|consulting|bringing up|looking up|giving me|showing me)"
    r"|(?:answer|reply|respond)(?: me)? without(?: using)?)"
    r"(?: any of| any| all)? (?:(?:my|your|the|these|those)? ?memories|(?:my|your) memory"
    r"|(?:anything|what(?:ever)?) you (?:know|remember|have stored))(?: (?:of|about) me)?"
    r"|pause (?:(?:my|your|the) )?(?:memory|memories|recall)"
    r"|(?:turn|switch) off (?:my|your|the) (?:memory|memories|recall)"
    r"|(?:turn|switch) (?:my|your|the) (?:memory|memories|recall) off)"
    r"(?:,? (?:please|today|for today|for a day|for the day|for the rest of the day|for now|until tomorrow|any ?more"
    r"|any longer|from now on|at all|here|when you answer(?: me)?|to answer(?: me)?|in your answers?"
    r"|(?:in|for|during) this (?:conversation|chat|session|discussion|thread))){0,4}"
)
_GERMAN: Final = (
    r"(?:bitte |heute |jetzt |ab jetzt |hier ){0,4}"
    r"(?:(?:be?nutze?|nutze?|verwende?|nimm|ziehe?)(?: bitte| heute| jetzt| hier){0,4}"
    r" (?:(?:meine|deine|die) (?:gespeicherten )?erinnerungen(?: an mich| über mich)?|(?:dein|mein) gedächtnis"
    r"|was du über mich weißt,?)(?: bitte| heute| jetzt| hier| in (?:diesem|dieser) \w+){0,4} nicht"
    r"(?: mehr)?(?: heran)?"
    r"|(?:be?nutze?|nutze?|verwende?) (?:bitte |heute |hier ){0,4}keine erinnerungen(?: an mich| über mich)?(?: mehr)?"
    r"|antworte?(?: mir)?(?: bitte| heute| hier| in (?:diesem|dieser) \w+){0,4} ohne (?:meine |deine )?erinnerungen"
    r"(?: an mich| über mich)?"
    r"|pausiere? (?:meine |deine |die |dein |das )?(?:erinnerung(?:en)?|gedächtnis)"
    r"|schalte? (?:meine |deine |die |dein |das )?(?:erinnerung(?:en)?|gedächtnis)(?: bitte| heute| hier){0,4}"
    r" (?:aus|ab))"
    r"(?:,? (?:bitte|heute|für heute|bis morgen|hier|ab jetzt|vorerst|in (?:diesem|dieser) \w+)){0,4}"
)
_FRENCH: Final = (
    r"(?:s'il (?:te|vous) pla[iî]t,? |stp,? |aujourd'hui,? |désormais,? ){0,4}"
    r"(?:(?:n'utilise[sz]?|ne consulte[sz]?|ne rappelle[sz]?) (?:pas|plus) (?:mes souvenirs|(?:ta|votre|ma) mémoire"
    r"|ce que tu sais (?:de|sur) moi)"
    r"|ne te sers (?:pas|plus) de (?:mes souvenirs|ta mémoire|ma mémoire|ce que tu sais (?:de|sur) moi)"
    r"|réponds?(?:ez)?(?:-moi)? sans(?: utiliser)? (?:mes souvenirs|(?:ta|votre|ma) mémoire)"
    r"|mets? (?:ta|ma|la) mémoire en pause|désactive (?:ta|ma|la) mémoire)"
    r"(?:,? (?:s'il te pla[iî]t|aujourd'hui|pour aujourd'hui|jusqu'à demain|désormais|ici|pour l'instant"
    r"|dans cette \w+|dans ce \w+)){0,4}"
)
_SPANISH: Final = (
    r"(?:por favor,? |hoy,? |ahora,? ){0,4}"
    r"(?:no (?:uses|utilices|consultes)(?: más)? (?:mis recuerdos|(?:tu|mi) memoria|lo que sabes de mí)"
    r"|(?:deja|dejes) de (?:usar|utilizar|consultar) (?:mis recuerdos|(?:tu|mi) memoria|lo que sabes de mí)"
    r"|respon(?:de|da)(?:me)? sin(?: usar| utilizar)? (?:mis recuerdos|(?:tu|mi) memoria)"
    r"|pon (?:tu|mi|la) memoria en pausa|(?:pausa|desactiva|apaga) (?:tu|mi|la) memoria)"
    r"(?:,? (?:por favor|hoy|por hoy|hasta mañana|aquí|por ahora|de ahora en adelante|en est[ea] \w+)){0,4}"
)
_CHINESE: Final = (
    r"(?:请|今天|现在|从现在起|在?(?:这|本)(?:次|个)?(?:对话|聊天|会话)(?:里|中)?|你|,|,){0,4}"
    r"(?:(?:不要|别|不用|停止)(?:再)?(?:使用|用|调用|参考|查看)(?:你)?(?:对我的|我的|你的|关于我的|任何)?记忆"
    r"|(?:暂停|关闭|关掉)(?:我的|你的)?记忆(?:功能)?)"
    r"(?:了|吧|来?回答(?:我)?){0,4}"
)
_WISH: Final = re.compile("|".join((_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _CHINESE)), re.IGNORECASE)


def unasked_in(text: str) -> Unasked | None:
    """How long a message wishes that no memory be given; None when it does not."""
    found = [wish for sentence in _read(text) if (wish := _wish(sentence))]
    return found[0] if found else None


def is_wish_alone(text: str) -> bool:
    """True when a message is such a wish and says nothing else."""
    read = _read(text)
    return bool(read) and all(_wish(sentence) for sentence in read)


def is_unasked(texts: Sequence[str]) -> bool:
    """True when one of the messages of a conversation wishes that none be given in it."""
    # Read as one first: hardly any conversation has such a wish, and each request of a long one is read.
    return _is_hinted("\n".join(text for text in texts if len(text) <= LONGEST)) and any(
        unasked_in(text) == "conversation" for text in texts
    )


def _read(text: str) -> list[str]:
    """The sentences of a message that may have such a wish."""
    return sentences(text.replace("’", "'")) if len(text) <= LONGEST and _is_hinted(text) else []


def _is_hinted(text: str) -> bool:
    lowered = text.lower()
    return any(hint in lowered for hint in _HINTS)


def _wish(sentence: str) -> Unasked | None:
    plain = simplified(sentence).strip(_END)
    if not _WISH.fullmatch(plain):
        return None
    return "conversation" if _HERE.search(plain) else "day"
