"""Secrets and private spans to ``[REDACTED:kind]``: told by the shape of a value, not by the mention of a word."""

from __future__ import annotations

import re

_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("private", r"(?is)<private>.*?(?:</private>|\Z)"),
        ("private-key", r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"),
        ("jwt", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
        ("aws-key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("google-key", r"\bAIza[\w-]{35}\b"),
        ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})"),
        ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("stripe-key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("api-key", r"\bsk-[A-Za-z0-9_-]{16,}"),
        ("token", r"\b(?:hf_[A-Za-z0-9]{30,}|glpat-[\w-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,})"),
        ("bearer", r"(?i)(?<=bearer )[\w.~+/=-]{16,}"),
        ("password", r"(?i)(?<=://)[^\s/:@]{0,64}:[^\s/@]{1,128}(?=@)"),
        (
            "assignment",
            r"(?i)(?<![a-z0-9])(?:[a-z0-9_]{0,40}(?:password|passwd|secret|token|api_?key))['\"]?\s{0,3}[:=]\s{0,3}['\"]?"
            r"(?=[^\s'\"]*\d)[^\s'\",;<>]{8,}",
        ),
    )
)


def redact(text: str) -> str:
    """``text`` with every secret that is recognised replaced by ``[REDACTED:kind]``."""
    for kind, pattern in _RULES:
        text = pattern.sub(f"[REDACTED:{kind}]", text)
    return text
