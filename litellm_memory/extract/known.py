"""One user's known statements, indexed by subject: a new one is compared only with the few that it may concern.

The index is kept, because parsing 100,000 sentences takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from litellm_memory.extract.compare import could_concern, found_by
from litellm_memory.models import Memory


@dataclass(slots=True)
class _Known:
    memory: Memory
    rank: int
    """Its position among the known ones: they are compared in that order."""
    keys: tuple[int, ...]


class KnownStatements:
    """An index of statements by id. Not thread-safe."""

    def __init__(self, memories: Iterable[Memory] = ()) -> None:
        self._known: dict[str, _Known] = {}
        self._by_key: dict[int, str | set[str]] = {}
        """Most keys have one id, and a set of one takes four times the bytes."""
        self._next_rank = 0
        self._episodes: dict[str, Memory] = {}
        """Messages in force: they are compared by meaning alone, in the order in which they became known."""
        self.update(memories)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Memory]:
        known = sorted(self._known.values(), key=lambda known: known.rank)
        return (entry.memory for entry in known)

    def update(self, memories: Iterable[Memory]) -> None:
        """Makes the index contain exactly the comparable ones of ``memories``, in order; only changes are parsed."""
        there: set[str] = set()
        memories = [*memories]
        self._episodes = {memory.id: memory for memory in memories if _is_episode(memory)}
        for rank, memory in enumerate(memories):
            self._next_rank = rank + 1
            if is_comparable(memory):
                there.add(memory.id)
                known = self._known.get(memory.id)
                if known is None or known.memory.text != memory.text:
                    self.put(memory)
                    known = self._known[memory.id]
                known.memory, known.rank = memory, rank
        if len(there) < len(self._known):
            for gone in self._known.keys() - there:
                self.remove(gone)

    def newest(self, most: int) -> list[Memory]:
        """At most so many statements and as many messages in force, the newest of each, oldest first."""
        statements = sorted(self._known.values(), key=attrgetter("rank"))[-most:]
        messages = islice(reversed(self._episodes.values()), most)
        return sorted((*(known.memory for known in statements), *messages), key=lambda memory: memory.created)

    def put(self, memory: Memory) -> None:
        """Adds a comparable memory or a message: in place of the one with its id, or at the end."""
        if memory.kind == "episode":
            self._episodes[memory.id] = memory
            return
        known = self._known.get(memory.id)
        if known is not None and known.memory.text == memory.text:
            known.memory = memory
            return
        rank = self._next_rank if known is None else known.rank
        self.remove(memory.id)
        self._next_rank = max(self._next_rank, rank + 1)
        keys = tuple(found_by(memory.text))
        self._known[memory.id] = _Known(memory, rank, keys)
        for key in keys:
            self._add(key, memory.id)

    def remove(self, memory_id: str) -> None:
        """Removes the memory with this id; idempotent."""
        self._episodes.pop(memory_id, None)
        known = self._known.pop(memory_id, None)
        for key in known.keys if known else ():
            ids = self._by_key[key]
            if isinstance(ids, set) and len(ids) > 1:
                ids.discard(memory_id)
            else:
                del self._by_key[key]

    def concerned(self, text: str) -> list[Memory]:
        """Those that a statement may concern, in order; all others are about something else."""
        ids: set[str] = set()
        for key in could_concern(text):
            found = self._by_key.get(key, ())
            ids |= {found} if isinstance(found, str) else set(found)
        known = sorted((self._known[memory_id] for memory_id in ids), key=lambda known: known.rank)
        return [entry.memory for entry in known]

    def _add(self, key: int, memory_id: str) -> None:
        ids = self._by_key.setdefault(key, memory_id)
        if isinstance(ids, set):
            ids.add(memory_id)
        elif ids != memory_id:
            self._by_key[key] = {ids, memory_id}


def is_comparable(memory: Memory) -> bool:
    """True for a statement in force; not for an episode, or for one that waits for review."""
    return memory.kind != "episode" and memory.superseded_by is None and memory.review is None


def _is_episode(memory: Memory) -> bool:
    return memory.kind == "episode" and memory.superseded_by is None and memory.review is None
