"""Tasks that were asked for on the page, as they are kept. Part of the page's store; each function is durable."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jobs.web.language import current_language
from jobs.web.store import WebStore
from jobs.web.tasks.task import Task, TaskFile, TaskState

_TASKS = (
    "select id, kind, subject, details, asked_by, asked_at, begun_at, ended_at, state, result, language,"
    " cancelled_by, file_name, file_octets, file_until from tasks"
)


def add_task(store: WebStore, kind: str, subject: str, details: str, user: str, now: float) -> int:
    """Put a task into the queue, behind the others; returns its number. The same that waits already is not doubled.

    Its result will be in the language in force.
    """
    with store.transaction() as sql:
        waiting = sql.execute(
            "select id from tasks where kind = ? and subject = ? and details = ? and state = 'queued'",
            (kind, subject, details),
        ).fetchone()
        if waiting:
            return int(waiting[0])
        added = sql.execute(
            "insert into tasks (kind, subject, details, asked_by, asked_at, language, state)"
            " values (?, ?, ?, ?, ?, ?, 'queued')",
            (kind, subject, details, user, now, current_language().tag),
        )
        return added.lastrowid or 0


def begin_task(store: WebStore, kinds: Collection[str], now: float) -> Task | None:
    """Take the oldest task of these kinds out of the queue, None where there is none."""
    with store.transaction() as sql:
        row = sql.execute(
            "select min(id) from tasks where state = 'queued' and kind in (select value from json_each(?))",
            (json.dumps(list(kinds)),),
        ).fetchone()
        if row[0] is None:
            return None
        sql.execute("update tasks set state = 'running', begun_at = ? where id = ?", (now, row[0]))
    return task_of(store, row[0])


def end_task(store: WebStore, number: int, state: TaskState, result: str, now: float) -> None:
    """Note how a task ended."""
    with store.transaction() as sql:
        sql.execute("update tasks set state = ?, result = ?, ended_at = ? where id = ?", (state, result, now, number))


def cancel_task(store: WebStore, number: int, user: str, now: float) -> bool:
    """End a task that waits, or note that one under way is to end; says whether there was one, queued or running."""
    with store.transaction() as sql:
        done = sql.execute(
            "update tasks set cancelled_by = ?1,"
            " ended_at = case state when 'queued' then ?2 end,"
            " state = case state when 'queued' then 'cancelled' else state end"
            " where id = ?3 and state in ('queued', 'running')",
            (user, now, number),
        )
        return done.rowcount == 1


def interrupt_tasks(store: WebStore, now: float) -> None:
    """Note that no task runs any more: the worker that ran them has ended."""
    with store.transaction() as sql:
        sql.execute("update tasks set state = 'interrupted', ended_at = ? where state = 'running'", (now,))


def newest_tasks(store: WebStore, limit: int, before: int | None = None) -> list[Task]:
    """Return the newest tasks, newest first; those before a number, where one is given."""
    rows = store.rows(f"{_TASKS} where ?1 is null or id < ?1 order by id desc limit ?2", before, limit)
    return [_task(*row) for row in rows]


def newest_of_kind(store: WebStore, kind: str) -> Task | None:
    """Return the newest task of a kind, None where there was none."""
    rows = store.rows(f"{_TASKS} where kind = ? order by id desc limit 1", kind)
    return _task(*rows[0]) if rows else None


def task_of(store: WebStore, number: int) -> Task | None:
    """Return the task of a number, None where there is none."""
    rows = store.rows(f"{_TASKS} where id = ?", number)
    return _task(*rows[0]) if rows else None


def file_made(store: WebStore, number: int, file: TaskFile) -> None:
    """Note what a task has left to be saved."""
    with store.transaction() as sql:
        sql.execute(
            "update tasks set file_name = ?, file_octets = ?, file_until = ? where id = ?",
            (file.name, file.octets, file.until, number),
        )


def files_of(store: WebStore) -> Mapping[int, TaskFile]:
    """Return the files that are kept, by the numbers of their tasks."""
    rows = store.rows("select id, file_name, file_octets, file_until from tasks where file_name is not null")
    return {number: TaskFile(*file) for number, *file in rows}


def running_tasks(store: WebStore) -> frozenset[int]:
    """Return the numbers of the tasks that are being done."""
    return frozenset(number for (number,) in store.rows("select id from tasks where state = 'running'"))


def forget_files(store: WebStore, numbers: Iterable[int]) -> None:
    """Note that the files of these tasks are gone."""
    with store.transaction() as sql:
        sql.executemany(
            "update tasks set file_name = null, file_octets = null, file_until = null where id = ?",
            [(number,) for number in numbers],
        )


def _task(number: int, kind: str, subject: str, *rest: Any) -> Task:  # noqa: ANN401  # columns, in the order of ``Task``
    details, asked_by, asked_at, begun_at, ended_at, state, result, language, cancelled_by, *file = rest
    kept = None if file[0] is None else TaskFile(*file)
    state = TaskState(state)
    return Task(
        number,
        kind,
        subject,
        details,
        asked_by,
        asked_at,
        begun_at,
        ended_at,
        state,
        result,
        language,
        cancelled_by,
        kept,
    )
