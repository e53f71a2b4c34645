"""Erasures: jobs that survive a restart, a person's rows in every table, and what files still hold.

A job names a person only until their rows are gone, so that its own row does not outlive what it erased.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Connection, Delete, Update, delete, func, select, tuple_, update
from sqlalchemy.sql.elements import ColumnElement

from litellm_memory.database.database import Database
from litellm_memory.database.days import sum_up
from litellm_memory.database.people import proposals
from litellm_memory.database.said import removed
from litellm_memory.database.tables import (
    answers,
    aware,
    blocks,
    calls,
    forgotten,
    insert_new,
    jobs,
    journal,
    listed,
    model_queue,
    paths,
    texts,
    traces,
)
from litellm_memory.errors import LiteLLMMemoryError
from litellm_memory.ledger.changes import NO_NAMESPACE, publish
from litellm_memory.models import namespace
from litellm_memory.people.holders import erase_holders
from litellm_memory.people.switches import erase_agreed

Progress: TypeAlias = Literal["forgetting", "scrubbing", "done"]

NOBODY: Final = "(forgotten)"
"""Replaces the user's name in the calls of an erased user: what they cost still counts."""
MOST_OPEN_JOBS: Final = 100
"""Jobs of one partition that are not done."""
JOBS_KEPT: Final = timedelta(days=30)
"""How long a finished job can be looked up."""


@dataclass(frozen=True, slots=True)
class Job:
    """An erasure of a user, of one of their sessions, or of a whole partition; while scrubbing, files are rewritten."""

    id: str
    partition: str
    requested: datetime
    progress: Progress
    user: str | None = None
    session: str | None = None
    forgotten: int = 0
    """Memories forgotten so far."""
    problem: str | None = None
    """Why the latest attempt failed; the job is retried."""
    finished: datetime | None = None


class TooManyJobsError(LiteLLMMemoryError):
    """A partition has too many open jobs; the message says what to do."""


class Erasures:
    """The erasures in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, partition: str, user: str | None, session: str | None, progress: Progress) -> Job:
        """A job, once it is durable: a new one, or that of the same erasure which is still forgetting, asked anew.

        Raises TooManyJobsError.
        """
        job = Job(secrets.token_hex(16), partition, datetime.now(UTC), progress, user, session)
        asked = await self._database.write(lambda c: _ask(c, job))
        if asked is None:
            raise TooManyJobsError(f"{MOST_OPEN_JOBS} erasures of this partition are not done yet: ask again later.")
        return asked

    async def unfinished(self) -> list[Job]:
        """The jobs that are not done, oldest first."""
        query = select(jobs).where(jobs.c.progress != "done").order_by(jobs.c.requested)
        return await self._database.read(lambda c: [_job(row) for row in c.execute(query)])

    async def get(self, partition: str, job: str) -> Job | None:
        """A job of a partition; None for an unknown id, a foreign one, and one that was dropped after JOBS_KEPT."""
        query = select(jobs).where(jobs.c.id == job, jobs.c.partition == partition)
        row = await self._database.read(lambda c: c.execute(query).first())
        return _job(row) if row else None

    async def newest(self, partition: str, *, limit: int) -> list[Job]:
        """The jobs of a partition that were asked for last, newest first."""
        query = select(jobs).where(jobs.c.partition == partition).order_by(jobs.c.requested.desc()).limit(limit)
        return await self._database.read(lambda c: [_job(row) for row in c.execute(query)])

    async def note(self, job: Job, **changed: Any) -> None:
        """Records the progress of a job."""
        await self._database.write(
            lambda c: c.execute(update(jobs).where(jobs.c.id == job.id).values(changed)).rowcount
        )

    async def forgot(self, job: Job) -> None:
        """Records that all is deleted which was there when it was asked; a job that was asked anew goes on."""
        same = (jobs.c.id == job.id, jobs.c.requested == job.requested)
        changed = {"progress": "scrubbing", "user": None, "session": None, "problem": None}
        await self._database.write(lambda c: c.execute(update(jobs).where(*same).values(changed)).rowcount)

    async def users(self, partition: str) -> frozenset[str]:
        """The users of a partition that appear in any table."""
        return frozenset(await self._database.read(lambda c: _users(c, partition)))

    async def erase_user(self, partition: str, user: str, *, until: datetime | None) -> Counter[str]:
        """Deletes a user's rows and removes the name from calls; ``until`` spares those of later requests.

        Returns how many rows of each table.
        """
        return await self._database.write(lambda c: _erase_user(c, partition, user, until))

    async def erase_session(self, partition: str, user: str, session: str, *, until: datetime | None) -> Counter[str]:
        """As ``erase_user``, for one session: its journal and its traces."""
        return await self._database.write(lambda c: _erase_session(c, partition, user, session, until))

    async def unscrubbed(self) -> list[tuple[str, str]]:
        """The forgotten (namespace, memory id) pairs that files may still hold, oldest first.

        An empty id stands for texts that were corrected.
        """
        query = select(forgotten.c.namespace, forgotten.c.memory).order_by(forgotten.c.at)
        rows: list[tuple[str, str]] = await self._database.read(
            lambda c: [(row[0], row[1]) for row in c.execute(query)]
        )
        return rows

    async def oldest_unscrubbed(self) -> datetime | None:
        """When the first of them was forgotten."""
        at = await self._database.read(lambda c: c.scalar(select(forgotten.c.at).order_by(forgotten.c.at).limit(1)))
        return None if at is None else aware(at)

    async def corrected(self, namespace: str) -> None:
        """Records that a text of this namespace was replaced, so that files may still hold the old one."""
        await self._database.write(lambda c: note_forgotten(c, [(namespace, "")]))

    async def scrubbed(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Records that no file holds these any more, and drops jobs finished longer ago than JOBS_KEPT."""
        await self._database.write(lambda c: _scrubbed(c, pairs))


def note_forgotten(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Records (namespace, memory id) pairs that files may still hold."""
    now = datetime.now(UTC)
    for space, memory in pairs:
        insert_new(connection, forgotten, {"namespace": space, "memory": memory, "at": now})


def _erase_user(connection: Connection, partition: str, user: str, until: datetime | None) -> Counter[str]:
    space = namespace(partition, user)
    of_user = blocks.c.namespace == space
    marks = list(connection.scalars(select(blocks.c.mark).where(of_user, *_before(blocks.c.frozen, until))))
    said_by = (journal.c.scope["partition"].as_string() == partition, journal.c.scope["user"].as_string() == user)
    statements: list[Delete | Update] = [
        delete(answers).where(answers.c.namespace == space, *_before(answers.c.at, until)),
        delete(blocks).where(of_user, *_before(blocks.c.frozen, until)),
        delete(journal).where(*said_by, *_before(journal.c.said, until)),
        delete(model_queue).where(model_queue.c.namespace == space, *_before(model_queue.c.said, until)),
        delete(traces).where(traces.c.namespace == space, *_before(traces.c.at, until)),
        delete(paths).where(paths.c.namespace == space, *_before(paths.c.at, until)),
        update(calls)
        .where(calls.c.partition == partition, calls.c.user == user, *_before(calls.c.at, until))
        .values(user=NOBODY, project=None, message=None, key=None),
    ]
    if until is None:
        statements += [delete(table).where(table.c.namespace == space) for table in (texts, listed)]
    statements.append(delete(proposals).where(proposals.c.namespace == space, *_before(proposals.c.at, until)))
    statements.append(delete(removed).where(removed.c.namespace == space, *_before(removed.c.at, until)))
    gone = _execute_all(connection, statements, space)
    gone["holders"] = erase_holders(connection, partition, space)
    gone["switches"] = erase_agreed(connection, space, until)
    sum_up(connection, partition, [user, NOBODY])
    publish(connection, [(space, ""), *((NO_NAMESPACE, mark) for mark in marks)])
    return gone


def _erase_session(
    connection: Connection, partition: str, user: str, session: str, until: datetime | None
) -> Counter[str]:
    scope = {"partition": partition, "user": user, "session": session}
    said_in = [journal.c.scope[name].as_string() == value for name, value in scope.items()]
    space = namespace(partition, user)
    traced = (traces.c.namespace == space, traces.c.about["session"].as_string() == session)
    waits = (model_queue.c.namespace == space, model_queue.c.scope["session"].as_string() == session)
    statements: list[Delete | Update] = [
        delete(journal).where(*said_in, *_before(journal.c.said, until)),
        delete(model_queue).where(*waits, *_before(model_queue.c.said, until)),
        delete(removed).where(
            removed.c.namespace == space,
            removed.c.data["session"].as_string() == session,
            *_before(removed.c.at, until),
        ),
        delete(traces).where(*traced, *_before(traces.c.at, until)),
    ]
    return _execute_all(connection, statements, space)


def _execute_all(connection: Connection, statements: Sequence[Delete | Update], space: str) -> Counter[str]:
    """Executes these, and counts rows by table; when one of them changes a row, files may still hold what was there."""
    changed = Counter({one.entity_description["name"]: connection.execute(one).rowcount for one in statements})
    if changed.total():
        note_forgotten(connection, [(space, "")])
    return changed


def _before(at: ColumnElement[Any], until: datetime | None) -> list[ColumnElement[bool]]:
    return [] if until is None else [at <= until]


def _users(connection: Connection, partition: str) -> set[str]:
    scoped = journal.c.scope["partition"].as_string() == partition
    waits = model_queue.c.scope["partition"].as_string() == partition
    queries = (
        select(model_queue.c.scope["user"].as_string()).where(waits).distinct(),
        select(traces.c.user).where(traces.c.partition == partition).distinct(),
        select(calls.c.user).where(calls.c.partition == partition, calls.c.user != NOBODY).distinct(),
        select(journal.c.scope["user"].as_string()).where(scoped).distinct(),
    )
    return {str(user) for query in queries for user in connection.scalars(query)}


def _scrubbed(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    connection.execute(delete(forgotten).where(tuple_(forgotten.c.namespace, forgotten.c.memory).in_(pairs)))
    connection.execute(delete(jobs).where(jobs.c.finished < datetime.now(UTC) - JOBS_KEPT))


def _ask(connection: Connection, job: Job) -> Job | None:
    unfinished = (jobs.c.partition == job.partition, jobs.c.progress != "done")
    if job.progress == "forgetting":
        same = (jobs.c.progress == "forgetting", jobs.c.user.is_not_distinct_from(job.user))
        found = select(jobs).where(*unfinished, *same, jobs.c.session.is_not_distinct_from(job.session))
        if row := connection.execute(found).first():
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(requested=job.requested))
            return replace(_job(row), requested=job.requested)
    if (connection.scalar(select(func.count()).select_from(jobs).where(*unfinished)) or 0) >= MOST_OPEN_JOBS:
        return None
    columns = ("id", "partition", "requested", "progress", "user", "session", "forgotten", "problem", "finished")
    connection.execute(jobs.insert(), {name: getattr(job, name) for name in columns})
    return job


def _job(row: Any) -> Job:
    return Job(
        row.id,
        row.partition,
        aware(row.requested),
        row.progress,
        row.user,
        row.session,
        row.forgotten,
        row.problem,
        aware(row.finished) if row.finished else None,
    )
