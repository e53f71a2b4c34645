"""What may become a memory in an exchange, what a statement is about, and how it relates to known ones."""

from __future__ import annotations

from litellm_memory.extract.candidates import Candidate, Extraction, commands_in, extract
from litellm_memory.extract.commands import MemoryCommand, targets_of
from litellm_memory.extract.languages import StatementRule

__all__ = ["Candidate", "Extraction", "MemoryCommand", "StatementRule", "commands_in", "extract", "targets_of"]
