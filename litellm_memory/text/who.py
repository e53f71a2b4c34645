"""Words that tell who speaks, to whom and of whom, and for how long, in five languages."""

from __future__ import annotations

import re
from typing import Final

SPEAKER: Final = re.compile(
    r"(?i)\b(?:i|we|ich|wir|je|on|nous|yo|my|our|mein\w*|unser\w*|mon|ma|mes|notre|mi|mis|nuestr\w+)\b|\bj'|我"
)
MINE: Final = re.compile(
    r"(?i)\b(?:my|our|i|me|mein\w*|unser\w*|ich|mon|ma|mes|notre|nos|je|j|moi|mi|mis|nuestr\w+|yo)\b|我"
)
ADDRESSED: Final = re.compile(
    r"(?i)\b(?:you\w*|u|ya|du|dir|dich|dein\w*|sie|ihr\w*|ihnen|tu|te|toi|ton|ta|tes|vous|votre|vos|tú|ti|tus?|usted\w*"
    r"|os|vuestr\w+)\b|\bt'|[你您妳]"
)
ADDS: Final = re.compile(
    r"(?i)\b(?:also|too|as well|besides|in addition|on the side|another|second|auch|außerdem|zusätzlich|nebenbei"
    r"|noch ein\w*|aussi|en plus|également|deuxième|también|además|otr[oa]|segund[oa])\b|[也还還又]|另外|同时|同時"
)
"""What is said beside what is known, not in its place."""
ONCE: Final = re.compile(
    r"(?i)\b(?:today|tonight|tomorrow|yesterday|this (?:week|weekend|morning|once|one)|next week|for once|only"
    r"|just this|heute|morgen|gestern|diese woche|nächste woche|ausnahmsweise|einmal|aujourd'hui|demain|hier"
    r"|cette semaine|exceptionnellement|hoy|mañana|ayer|esta semana|por (?:una vez|excepción)|if|wenn|falls|si)\b"
    r"|今天|明天|昨天|这周|這周|這週|下周|下週|例外|破例|一次|如果|要是|假如"
)
"""What holds for a day, or would hold."""
OTHERS: Final = re.compile(
    r"(?i)\b(?:his|her|their|\w+'s|seine?\w*|ihre?\w*|son|sa|ses|leurs?|sus?)\b"
    r"|\b(?:colleague|friend|neighbou?r|client|customer|kollege|freund|nachbar|kunde|collègue|voisin|client|vecino"
    r"|compañero|cliente)\w*|同事|朋友|邻居|鄰居|客户|客戶|别人|別人"
)
"""What is somebody else's."""
TODAY: Final = re.compile(
    r"(?i)\b(?:today|until tomorrow|(?:the|this) (?:whole |rest of the )?day|heute|bis morgen|diesen tag"
    r"|aujourd'hui|jusqu'à demain|la journée|hoy|hasta mañana|este día)\b|今天|今日|到明天"
)
