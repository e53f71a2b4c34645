"""What the SQL database keeps, a class per subject: frozen blocks, the journal of exchanges, traces, calls, changes."""

from __future__ import annotations

from litellm_memory.database.facts import OTHER_STORE, note_taken_over
from litellm_memory.database.migrations import ASIDE
from litellm_memory.database.opening import schema_and_store
from litellm_memory.database.rebuilding import fill_from, is_damaged, list_anew
from litellm_memory.errors import LedgerError
from litellm_memory.ledger.calls import GROUPINGS, CallRecord, Grouping, Quality, Usage
from litellm_memory.ledger.dead_letters import DeadLetter
from litellm_memory.ledger.erasures import Job, TooManyJobsError
from litellm_memory.ledger.figures import Figure, Figures
from litellm_memory.ledger.ledger import Ledger, Transaction
from litellm_memory.ledger.listing import ListFilter, ListPosition
from litellm_memory.ledger.model_queue import QueuedExchange, Spent
from litellm_memory.ledger.paths import Paths
from litellm_memory.ledger.traces import Learned, Trace, TracedMemory
from litellm_memory.people.holders import note_holders
from litellm_memory.people.register import AmbiguousNameError, Held, Place
from litellm_memory.people.sayings import Saying
from litellm_memory.people.switches import SWITCHES, Allowance, Standing, Switch, Switches

__all__ = [
    "ASIDE",
    "GROUPINGS",
    "OTHER_STORE",
    "SWITCHES",
    "Allowance",
    "AmbiguousNameError",
    "CallRecord",
    "DeadLetter",
    "Figure",
    "Figures",
    "Grouping",
    "Held",
    "Job",
    "Learned",
    "Ledger",
    "LedgerError",
    "ListFilter",
    "ListPosition",
    "Paths",
    "Place",
    "Quality",
    "QueuedExchange",
    "Saying",
    "Spent",
    "Standing",
    "Switch",
    "Switches",
    "TooManyJobsError",
    "Trace",
    "TracedMemory",
    "Transaction",
    "Usage",
    "fill_from",
    "is_damaged",
    "list_anew",
    "note_holders",
    "note_taken_over",
    "schema_and_store",
]
