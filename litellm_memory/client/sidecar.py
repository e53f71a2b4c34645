"""The sidecar as commands ask it: in one partition, or with `*` in each one in turn."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from litellm_memory.client.address import KEY_VARIABLE
from litellm_memory.client.plain_http import PlainAnswer, PlainClient
from litellm_memory.errors import CommandError
from litellm_memory.terminal.print import passing

if TYPE_CHECKING:
    import httpx

PAGE = 1000
"""Rows of a list per request: the API's limit."""
EVERYWHERE: Final = "*"
"""In place of a partition: all of them."""

Row: TypeAlias = dict[str, Any]


A_WHILE: Final = 1.0
"""Seconds after which a busy sidecar is asked again when it names no time."""


class MissingError(CommandError):
    """The sidecar knows nothing of what was asked for."""


class BusyError(CommandError):
    """The sidecar does as much of this as it may; ``seconds`` later it may be asked again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A sidecar, used in one partition or in all of them; ``label`` names the holder of one of several."""

    http: httpx.AsyncClient | PlainClient
    partition: str | None = None
    label: str | None = None
    is_one_of_several: bool = False

    @property
    def is_everywhere(self) -> bool:
        return self.partition == EVERYWHERE

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of an answer, or None when it has none. Raises CommandError with the answer's message."""
        given = {"partition": self.partition, **(request.pop("params", None) or {})}
        params = {name: value for name, value in given.items() if value is not None}
        answer = await self.http.request(method, path, params=params, **request)
        refuse(answer)
        return answer.json() if answer.content else None

    async def rows(self, path: str, *, user: str | None, most: int = sys.maxsize) -> list[Row]:
        """The first ``most`` rows of a list, page by page. Raises CommandError."""
        rows: list[Row] = []
        cursor = None
        while True:
            params = {"user": user, "limit": min(PAGE, most - len(rows)), "cursor": cursor}
            page = await self.ask("GET", path, params=params)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None or len(rows) >= most:
                return rows

    def within(self, partition: str) -> Sidecar:
        """The sidecar used in this one of its partitions; where only one is meant, that one."""
        return replace(self, partition=partition) if self.is_everywhere else self

    async def each(self, *, quiet: bool = False) -> AsyncIterator[Sidecar]:
        """The sidecar as used in each partition that is meant: with `*` all that the key may see, seen last first.

        A terminal is told how far it is, unless ``quiet``.
        """
        if not self.is_everywhere:
            yield self
            return
        found = await replace(self, partition=None).rows("/v1/partitions", user=None)
        try:
            for number, one in enumerate(found, 1):
                passing("" if quiet else f"partition {number} of {len(found)}")
                yield replace(self, partition=one["partition"], label=one["label"], is_one_of_several=True)
        finally:
            passing("")

    async def ask_first(self, method: str, path: str, **request: Any) -> Any:
        """As ``ask``, in the first partition that is meant and knows what is asked for."""
        missing = MissingError("There are no partitions: nobody has asked yet.")
        async for one in self.each():
            try:
                return await one.ask(method, path, **request)
            except MissingError as error:
                missing = error
        raise missing

    async def gathered(
        self,
        read: Callable[[Sidecar], Awaitable[list[Row]]],
        *,
        by: Callable[[Row], Any] = lambda row: 0,
        most: int = sys.maxsize,
    ) -> list[Row]:
        """What ``read`` finds in the partition that is meant.

        With `*`, in all of them: the highest ``most`` rows by ``by``, else one partition after another; each row with
        its partition and that one's label.
        """
        if not self.is_everywhere:
            return await read(self)
        found: list[Row] = []
        async for one in self.each():
            found += [{**row, "partition": one.partition, "label": one.label} for row in await read(one)]
            found = sorted(found, key=by, reverse=True)[:most]
        return found


def refuse(answer: httpx.Response | PlainAnswer) -> None:
    """Raises CommandError, with the message that is made for people, for an error response."""
    if answer.is_success:
        return
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"The sidecar answered {answer.status_code}: is there another program at this address?"
    if answer.status_code == 401:
        message += f" Give a LiteLLM key with --key or in {KEY_VARIABLE}."
    if answer.status_code == 429:
        told = str(answer.headers.get("retry-after", ""))
        raise BusyError(message, float(told) if told.isdigit() else A_WHILE)
    raise MissingError(message) if answer.status_code == 404 else CommandError(message)
