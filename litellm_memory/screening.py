"""Texts that want more than to be remembered: they speak to the model, its tools or its rules. A person looks first."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

RULES: Final = "it speaks of the rules that the model follows"
BLOCK: Final = "it speaks in the signs by which memory or a model tells who says what"
TOOLS: Final = "it wants something done with tools, or behind somebody's back"
SECRETS: Final = "it wants something secret shown or sent away"
OTHERS: Final = "it speaks for other people, or swaps one for another"
TRUST: Final = "it wants a source or a seller to be preferred"

_ORDERS = (
    "instruction|rule|prompt|guideline|guardrail|restriction|polic(?:y|ies)|directive|filter|safeguard|training|limit"
)
_HIDDEN = (
    r"passwords?|(?:api|access|ssh|private)\skeys?|tokens?|secrets?|credentials?|cookies?|\.env|id_rsa|environment\svariables?"
    r"|(?:system|hidden)\sprompt|chat\shistory|conversations?|memor(?:y|ies)|card\snumbers?"
)
_SEND = "send|post|forward|upload|e-?mail|mail|transmit|exfiltrate|leak|copy|bcc|append|attach|submit|push|encode|embed"
_RUN = "run|execute|call|invoke|launch|trigger|spawn|eval|download|install"

# A wish about answers and work ("always run the tests before a commit") is nobody's attack: each rule needs an aim.
_AIMS: Final = tuple(
    (reason, re.compile(pattern, re.IGNORECASE | re.VERBOSE | re.MULTILINE))
    for reason, pattern in (
        (BLOCK, r"</?\s*(?:memory|memories|entry|standing_wish|answer_then|system(?:-reminder)?|instructions?|context)\b"),
        (BLOCK, r"<\|[\w ]{2,30}\|> | \[/?(?:INST|SYSTEM)\] | <</?SYS>> | ^\s*\#{2,}\s*(?:system|instruction|assistant)\b"),
        (BLOCK, r"(?:^|[.\n]\s*)\s*\[?(?:system|developer|assistant|admin(?:istrator)?)(?:\s(?:message|note|override|update))?\]?\s*:"),
        (RULES, rf"\b(?:ignore|disregard|forget|override|bypass|drop|discard|disable|circumvent|stop\sfollowing|not\s(?:follow|obey))\b.{{0,60}}\b(?:{_ORDERS})s?\b"),
        (RULES, rf"\bno\s(?:longer|more)\b.{{0,40}}\b(?:bound|restricted|limited|filtered|{_ORDERS})"),
        (RULES, r"\b(?:developer|god|debug|jailbreak|DAN|admin|unrestricted|root)[\s-]mode\b | \bjailbr[eo]a?k | \bunrestricted\s(?:ai|assistant|model)\b"),
        (RULES, r"\b(?:your|the)\s(?:new|real|true|updated)\s(?:system\sprompt|instructions?|rules?|purpose|goal|objective)\b"),
        (RULES, r"\b(?:takes?|has|have)\s(?:precedence|priority)\sover\b.{0,40}\b(?:system|user|instruction|rule|message)"),
        (SECRETS, rf"(?<!never\s)(?<!not\s)\b(?:{_SEND}|reveal|print|show|disclose|repeat|output|include|dump|read\sout|collect|list)\b.{{0,60}}(?:\b|(?=\.))(?:{_HIDDEN})(?:\W|$)"),
        (SECRETS, rf"\b(?:{_SEND}|include|add|put|render|display|load|fetch)\b.{{0,80}}(?:https?://|\S+@\S+\.\w|\bwebhook\b|\bremote\sserver\b)"),
        (SECRETS, r"!\[[^\]\n]{0,80}\]\(\s*https?://"),
        (TOOLS, r"\b(?:curl|wget|iwr|invoke-webrequest)\b.{0,120}\|\s*(?:sudo\s)?(?:ba|z)?sh\b | \brm\s-rf?\s | \bchmod\s777 | \bpowershell\b.{0,20}-e"),
        (TOOLS, rf"\b(?:{_RUN}|use)\b.{{0,60}}\b(?:shell|bash|terminal|cmd|tool|function|plugin|payload|base64)\b.{{0,60}}\b(?:delete|transfer|send|upload|fetch|execute|run|before\sanswering|whenever|first|automatically|every)\b"),
        (TOOLS, rf"\b(?:when(?:ever)?|each\stime|every\stime|if)\b.{{0,80}}\b(?:users?|asked|asks?|somebody|someone|you\s(?:see|read|get|receive))\b.{{0,80}}\b(?:{_RUN}|delete|transfer|wire|pay|approve|grant|disable|{_SEND})\b"),
        (TOOLS, r"\b(?:transfer|wire|pay)\b.{0,40}\b(?:\$|€|usd|eur|btc|money|funds|bitcoin|wallet)"),
        (TOOLS, r"\bwithout\s(?:asking|telling|informing|notifying|warning|confirmation|confirming|permission|approval)\b"),
        (TOOLS, r"\b(?:don't|do\snot|never)\s(?:ask|tell|inform|notify|warn|alert|mention|reveal)\b.{0,30}\b(?:users?|anyone|anybody|them|him|her)\b"),
        (TOOLS, r"\b(?:silently|secretly|covertly|quietly|discreetly)\b.{0,60}\b(?:add|send|run|execute|insert|install|replace|change|delete|disable|include|call|approve|copy)"),
        (TOOLS, r"\b(?:disable|skip|turn\soff|weaken)\b.{0,40}\b(?:authentication|authorization|certificate|tls|ssl|signature|security|2fa|mfa|sandbox|firewall|antivirus)\b"),
        (TOOLS, r"\b(?:insert|add|include|plant)\b.{0,40}\b(?:backdoor|malware|keylogger|reverse\sshell|miner)\b"),
        (OTHERS, r"\b(?:all|every|any|other|another|the\snext)\s(?:other\s)?(?:users?|customers?|patients?|tenants?|accounts?)\b.{0,80}\b(?:should|must|is|are|will|gets?|has|have|tell|give|see|show)\b"),
        (OTHERS, r"\b(?:patient|user|customer|account|record|order|item|product)\s(?:id\s)?\S{1,30}\s(?:is|are|was|were|should|must|now|has)\b.{0,60}\b(?:under|instead|replaced?|redirect\w*|mapped|refer\w*|swapped|renamed|moved|treated\sas)\b"),
        (OTHERS, r"\b(?:redirect|replace|swap|substitute|treat)\b.{0,60}\b(?:patient|user|customer|account|beneficiary|recipient|iban)\b"),
        (TRUST, r"\b(?:remember|note|treat|regard|consider|trust|cite|keep\sin\smind)\b.{0,80}\b(?:trusted|authoritative|preferred|most\sreliable|go-to|primary|best)\s(?:\w+\s){0,2}(?:source|citation|provider|vendor|brand|company|site|reference)\b"),
        (TRUST, r"\b(?:always|only|first)\b.{0,20}\b(?:recommend|suggest|promote|advertise|endorse)\b"),
    )
)  # fmt: skip

LONGEST: Final = 20_000
"""Characters that are looked at: a memory is shorter."""


def why_to_review(text: str) -> str | None:
    """The reason for which ``text`` must wait for its owner's word before it is recalled; None when it need not."""
    plain = _plain(text[:LONGEST])
    return next((reason for reason, pattern in _AIMS if pattern.search(plain)), None)


def _plain(text: str) -> str:
    """``text`` without invisible signs and in the usual form of its letters, so that none hides a word."""
    folded = unicodedata.normalize("NFKC", text).replace("’", "'")
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")
