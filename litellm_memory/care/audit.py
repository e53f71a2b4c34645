"""How much of what is kept is junk: what is wrong with each memory, and its fix. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from litellm_memory.extract.compare import compare, words_of
from litellm_memory.extract.pastes import own_prose
from litellm_memory.extract.subjects import statement_of
from litellm_memory.models import Memory
from litellm_memory.redact import Redactor
from litellm_memory.render import NOTE
from litellm_memory.screening import shown_aim, why_to_review

Problem = Literal["own_block", "machine_text", "secret", "instruction_like", "duplicate", "unused"]

IDLE = timedelta(days=180)
"""A memory that was not recalled for this long since it came here is reported, but is no junk: it may be wanted."""
FIXES: dict[Problem, str] = {
    "own_block": "forget it: it repeats a block that memory gave",
    "machine_text": "forget it: no person wrote it",
    "secret": "redact it, and change the secret",
    "instruction_like": "let it wait for review: it speaks to the model or its tools",
    "duplicate": "forget it: an older memory in force says the same",
    "unused": "forget it, or pin it if it is wanted",
}
"""What to do about each problem."""
_OURS = (NOTE, "<standing_wish>", "<answer_then>")
"""Signs of a block of our own."""
_WRAPPERS = ("<system-reminder>", "<environment_context>", "<tool_result", "[SUGGESTION MODE", "### Task:")
"""Signs of text that clients add to a person's words or send on their own."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one memory, and its fix."""

    memory: str
    problem: Problem
    fix: str
    like: str | None = None
    """The older memory that a duplicate repeats."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The flaws of some memories, and the junk rate. Memories that are not used are reported, but are not junk."""

    memories: int
    flaws: tuple[Flaw, ...]

    @property
    def junk_rate(self) -> float:
        """From 0 to 1; each memory counts once."""
        junk = {flaw.memory for flaw in self.flaws if flaw.problem != "unused"}
        return len(junk) / self.memories if self.memories else 0.0


def audit(memories: Iterable[Memory], *, now: datetime, redactor: Redactor | None) -> Audit:
    """The flaws of one user's memories in force, oldest first.

    Text that ``redactor`` would change counts as a secret; with None, secrets are not searched for.
    """
    held = sorted((memory for memory in memories if memory.in_force(now)), key=lambda m: (m.created, m.id))
    older: defaultdict[Hashable, list[Memory]] = defaultdict(list)
    flaws: list[Flaw] = []
    for memory in held:
        alike = older[_subject(memory)]
        same = next((other.id for other in alike if _says_the_same(memory, other)), None)
        flaws += [Flaw(memory.id, problem, FIXES[problem]) for problem in _problems(memory, now, redactor)]
        flaws += [Flaw(memory.id, "duplicate", FIXES["duplicate"], same)] if same else []
        alike.append(memory)
    return Audit(len(held), tuple(flaws))


def _subject(memory: Memory) -> Hashable:
    """The key under which two memories can be duplicates."""
    stated = statement_of(memory.text) if memory.kind != "episode" else None
    about = stated.subject if stated else words_of(memory.text)
    return memory.user, memory.project, memory.kind, about


def _problems(memory: Memory, now: datetime, redactor: Redactor | None) -> list[Problem]:
    """The problems that a memory has by itself."""
    ours = any(sign in memory.text for sign in _OURS)
    machine = not own_prose(memory.text) or any(sign in memory.text for sign in _WRAPPERS)
    checks: dict[Problem, bool] = {
        "own_block": ours,
        "machine_text": machine,
        "secret": redactor is not None and redactor.memory(memory) != memory,
        "instruction_like": not (ours or machine) and shown_aim(memory.text) is not None,
        "unused": not memory.pinned and memory.touched < now - IDLE,
    }
    return [problem for problem, there in checks.items() if there]


def _says_the_same(memory: Memory, other: Memory) -> bool:
    return memory.text == other.text or (
        memory.kind != "episode" and compare(memory.text, other.text).relation == "same"
    )


def reason_to_refuse(text: str) -> str | None:
    """Why a text is not in force at once: a model may not store it, and a person is asked again; None when it is."""
    return why_to_review(text)
