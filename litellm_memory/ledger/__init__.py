"""What the SQL database keeps, a class per subject: frozen blocks, the journal of exchanges, traces, calls, changes."""

from __future__ import annotations

from litellm_memory.errors import LedgerError
from litellm_memory.ledger.calls import GROUPINGS, CallRecord, Grouping, Quality, Usage
from litellm_memory.ledger.dead_letters import DeadLetter
from litellm_memory.ledger.erasures import Job
from litellm_memory.ledger.figures import Figure, Figures
from litellm_memory.ledger.ledger import Ledger
from litellm_memory.ledger.listing import ListFilter, ListPosition
from litellm_memory.ledger.migrations import ASIDE
from litellm_memory.ledger.model_queue import QueuedExchange, Spent
from litellm_memory.ledger.paths import Paths
from litellm_memory.ledger.rebuilding import fill_from, is_damaged
from litellm_memory.ledger.traces import Learned, Trace, TracedMemory

__all__ = [
    "ASIDE",
    "GROUPINGS",
    "CallRecord",
    "DeadLetter",
    "Figure",
    "Figures",
    "Grouping",
    "Job",
    "Learned",
    "Ledger",
    "LedgerError",
    "ListFilter",
    "ListPosition",
    "Paths",
    "Quality",
    "QueuedExchange",
    "Spent",
    "Trace",
    "TracedMemory",
    "Usage",
    "fill_from",
    "is_damaged",
]
