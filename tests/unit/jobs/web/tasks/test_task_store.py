from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jobs.web.store import WebStore
from jobs.web.tasks.task import TaskFile, TaskState
from jobs.web.tasks.task_store import (
    add_task,
    begin_task,
    cancel_task,
    end_task,
    file_made,
    files_of,
    forget_files,
    interrupt_tasks,
    newest_tasks,
    running_tasks,
    task_of,
)

NOW = 1_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WebStore]:
    with closing(WebStore(tmp_path)) as one:
        yield one


def states(store: WebStore) -> list[TaskState]:
    return [task.state for task in newest_tasks(store, 9)]


def test_tasks_survive_a_restart_and_those_under_way_are_interrupted(tmp_path: Path) -> None:
    with closing(WebStore(tmp_path)) as store:
        first = add_task(store, "verify", "alice", "", "Ann", NOW)
        add_task(store, "verify", "bob", "", "Ann", NOW)
        task = begin_task(store, ["verify"], NOW)
        assert task is not None
        assert (task.number, task.state, task.begun_at) == (first, TaskState.RUNNING, NOW)
    with closing(WebStore(tmp_path)) as store:
        interrupt_tasks(store, NOW)
        assert states(store) == [TaskState.QUEUED, TaskState.INTERRUPTED]


def test_the_same_that_waits_is_not_doubled_and_what_differs_is(store: WebStore) -> None:
    first = add_task(store, "export", "alice", "a", "Ann", NOW)
    assert add_task(store, "export", "alice", "a", "Bob", NOW) == first
    assert add_task(store, "export", "alice", "b", "Ann", NOW) != first
    begin_task(store, ["export"], NOW)
    assert add_task(store, "export", "alice", "a", "Ann", NOW) != first


def test_only_the_kinds_that_are_asked_for_are_begun_the_oldest_first(store: WebStore) -> None:
    add_task(store, "verify", "", "", "Ann", NOW)
    second = add_task(store, "examine", "", "", "Ann", NOW)
    third = add_task(store, "add", "", "", "Ann", NOW)
    for number in (second, third):
        task = begin_task(store, ["add", "examine"], NOW)
        assert task is not None
        assert task.number == number
    assert begin_task(store, ["add", "examine"], NOW) is None
    assert begin_task(store, [], NOW) is None


def test_what_waits_is_cancelled_at_once_and_what_runs_is_marked(store: WebStore) -> None:
    first = add_task(store, "verify", "", "", "Ann", NOW)
    assert cancel_task(store, first, "Bob", NOW + 1)
    task = task_of(store, first)
    assert task is not None
    assert (task.state, task.cancelled_by, task.ended_at) == (TaskState.CANCELLED, "Bob", NOW + 1)
    second = add_task(store, "verify", "", "", "Ann", NOW)
    begin_task(store, ["verify"], NOW)
    assert cancel_task(store, second, "Bob", NOW + 1)
    task = task_of(store, second)
    assert task is not None
    assert (task.state, task.cancelled_by, task.ended_at) == (TaskState.RUNNING, "Bob", None)


def test_what_is_over_is_not_cancelled(store: WebStore) -> None:
    number = add_task(store, "verify", "", "", "Ann", NOW)
    begin_task(store, ["verify"], NOW)
    end_task(store, number, TaskState.DONE, "well", NOW)
    assert not cancel_task(store, number, "Bob", NOW)
    assert not cancel_task(store, 99, "Bob", NOW)
    assert task_of(store, 99) is None
    task = task_of(store, number)
    assert task is not None
    assert (task.cancelled_by, task.result) == ("", "well")


def test_tasks_come_in_pages(store: WebStore) -> None:
    numbers = [add_task(store, "export", "", str(one), "Ann", NOW) for one in range(5)]
    first = newest_tasks(store, 3)
    assert [task.number for task in first] == numbers[:1:-1]
    assert [task.number for task in newest_tasks(store, 3, first[-1].number)] == numbers[1::-1]


def test_a_file_is_kept_until_it_is_forgotten(store: WebStore) -> None:
    number = add_task(store, "export", "", "", "Ann", NOW)
    begin_task(store, ["export"], NOW)
    assert running_tasks(store) == {number}
    file = TaskFile("mail.zip", 10, NOW + 5)
    file_made(store, number, file)
    assert files_of(store) == {number: file}
    forget_files(store, [number])
    assert files_of(store) == {}
    task = task_of(store, number)
    assert task is not None
    assert task.file is None
