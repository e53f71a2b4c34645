"""How a client wants its block to be written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockStyle:
    """A block as clients of ai-mem know it: an index of one-line summaries, of which the nearest are given in full."""

    full: int = 4
    """At most this many memories are given in full."""
    summaries: bool = False
    """Every memory is given as a summary; ``full`` does not count."""
    show_tokens: bool = True
    """The last line says how many tokens the block cost and saved, by the counts from when it was made."""
    wrap: bool = True
    """The block is wrapped in the tag by which these clients recognise it."""

    @property
    def full_entries(self) -> int:
        """How many memories are given in full; standing instructions always are and do not count."""
        return 0 if self.summaries else self.full
