"""The queue, on kinds of tasks that a test makes up, worked in the test's own thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from jobs.maintenance.upkeep import StoppedError
from jobs.monitoring.snapshot import Seen, Snapshot
from jobs.web.language import gettext, speaking
from jobs.web.languages import shipped_language
from jobs.web.store import WebStore
from jobs.web.tasks.files import FOLDER, KEPT_SECONDS, folder_of, take_away_old
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.queue import PATIENCE_SECONDS, Tasks
from jobs.web.tasks.task import Progress, Task, TaskState
from jobs.web.tasks.task_store import add_task, files_of, task_of
from jobs.web.worker import Worker
from migrator.config import Config, load
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ledger import Ledger
from tests.unit.jobs.web.office import written

NOW = 1_000_000.0
Work = Callable[[Task, Hands], str]


def kind(work: Work, name: str = "try", *, is_quick: bool = False) -> TaskKind:
    return TaskKind(name, name, work, is_quick=is_quick)


def noted(done: list[str]) -> Work:
    """Return work that only notes that it was done."""

    def work(task: Task, _hands: Hands) -> str:
        done.append(task.kind)
        return ""

    return work


class Bench:
    def __init__(self, config: Config, store: WebStore, ledger: Ledger) -> None:
        self.config = config
        self.store = store
        self.worker = Worker(
            config=lambda: config,
            snapshot=lambda: Snapshot(NOW, NOW, []),
            ledger=ledger,
            try_now=lambda _name: None,
            stop_run=lambda _name: False,
            look_again=lambda: None,
            reload=lambda: None,
            examine=list,
            progress=dict,
            seen=lambda: Seen({}, frozenset(), {}),
            index=lambda: None,
        )

    def tasks(self, *kinds: TaskKind) -> Tasks:
        return Tasks(self.store, self.worker, lambda: NOW, kinds)

    def done(self, work: Work, *, secret: str = "") -> Task:
        """Ask for this work, do it, and return the task as it is kept then."""
        tasks = self.tasks(kind(work))
        number = tasks.ask(tasks.kinds["try"], "alice", "Ann", secret=secret)
        tasks.work_once()
        return self.task(number)

    def task(self, number: int) -> Task:
        task = task_of(self.store, number)
        assert task is not None
        return task


@contextmanager
def benched(folder: Path) -> Iterator[Bench]:
    config = load(written(folder, "alice"))
    with closing(Ledger.open(config.state_dir)) as ledger, closing(WebStore(config.state_dir)) as store:
        yield Bench(config, store, ledger)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with benched(tmp_path) as one:
        yield one


def test_a_task_ends_with_its_sentence(bench: Bench) -> None:
    task = bench.done(lambda task, _hands: f"done for {task.subject}")
    assert (task.state, task.result, task.ended_at, task.asked_by) == (TaskState.DONE, "done for alice", NOW, "Ann")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FerryError(Kind.AUTH, "the password was refused"), "the password was refused"),
        (ConfigError(["one.", "two."]), "one. two."),
        (RuntimeError("a defect"), "RuntimeError: a defect"),
    ],
)
def test_a_task_that_fails_says_why_and_the_next_is_done(error: Exception, said: str, bench: Bench) -> None:
    def fail(_task: Task, _hands: Hands) -> str:
        raise error

    task = bench.done(fail)
    assert (task.state, task.result) == (TaskState.FAILED, said)
    assert bench.done(lambda _task, _hands: "well").state is TaskState.DONE


def test_progress_is_seen_while_it_lasts(bench: Bench) -> None:
    seen: list[Progress | None] = []

    def work(task: Task, hands: Hands) -> str:
        seen.append(tasks.progress(task.number))
        hands.went_on(3, 10)
        seen.append(tasks.progress(task.number))
        return ""

    tasks = bench.tasks(kind(work))
    number = tasks.ask(tasks.kinds["try"], "", "Ann")
    tasks.work_once()
    assert seen == [None, Progress(3, 10)]
    assert tasks.progress(number) is None


def test_a_task_under_way_that_is_cancelled_ends_and_says_who(bench: Bench) -> None:
    def work(task: Task, hands: Hands) -> str:
        hands.file("half.zip").write_bytes(b"half")
        hands.went_on(1)
        assert tasks.cancel(task.number, "Bob")
        hands.went_on(2)
        raise AssertionError("it went on")

    tasks = bench.tasks(kind(work))
    number = tasks.ask(tasks.kinds["try"], "", "Ann")
    tasks.work_once()
    task = bench.task(number)
    assert (task.state, task.cancelled_by) == (TaskState.CANCELLED, "Bob")
    assert not folder_of(number, bench.config).exists()


def test_a_task_that_waits_is_never_begun_once_it_is_cancelled(bench: Bench) -> None:
    begun: list[str] = []
    tasks = bench.tasks(kind(noted(begun)))
    number = tasks.ask(tasks.kinds["try"], "", "Ann", secret="typed")
    assert tasks.cancel(number, "Bob")
    assert not tasks.cancel(number, "Bob")
    tasks.work_once()
    assert (begun, bench.task(number).state) == ([], TaskState.CANCELLED)
    assert tasks.underway.take_secret(number) == ""


def test_a_task_that_was_done_before_it_heard_is_done(bench: Bench) -> None:
    def work(task: Task, _hands: Hands) -> str:
        tasks.cancel(task.number, "Bob")
        return "too late"

    tasks = bench.tasks(kind(work))
    number = tasks.ask(tasks.kinds["try"], "", "Ann")
    tasks.work_once()
    assert (bench.task(number).state, bench.task(number).result) == (TaskState.DONE, "too late")


def test_a_task_that_the_workers_end_stops_is_interrupted(bench: Bench) -> None:
    def work(_task: Task, _hands: Hands) -> str:
        raise StoppedError

    task = bench.done(work)
    assert (task.state, task.result) == (TaskState.INTERRUPTED, "")


def test_what_was_typed_reaches_its_task_alone_and_is_written_nowhere(bench: Bench) -> None:
    said: list[str] = []

    def work(task: Task, hands: Hands) -> str:
        said.append(hands.secret)
        assert tasks.underway.take_secret(task.number) == ""
        return ""

    tasks = bench.tasks(kind(work))
    tasks.ask(tasks.kinds["try"], "alice", "Ann", secret="open sesame")
    tasks.ask(tasks.kinds["try"], "bob", "Ann")
    tasks.work_once()
    assert said == ["open sesame", ""]
    assert b"open sesame" not in b"".join(
        path.read_bytes() for path in bench.config.state_dir.rglob("*") if path.is_file()
    )


def test_after_a_restart_what_was_typed_is_gone(bench: Bench) -> None:
    said: list[str] = []

    def work(_task: Task, hands: Hands) -> str:
        said.append(hands.secret)
        return ""

    before = bench.tasks(kind(work))
    before.ask(before.kinds["try"], "", "Ann", secret="open sesame")
    bench.tasks(kind(work)).work_once()
    assert said == [""]


def test_a_quick_task_does_not_wait_for_one_that_takes_long(bench: Bench) -> None:
    done: list[str] = []
    tasks = bench.tasks(kind(noted(done), "long"), kind(noted(done), "quick", is_quick=True))
    tasks.ask(tasks.kinds["long"], "", "Ann")
    tasks.ask(tasks.kinds["quick"], "", "Ann")
    tasks.work_once(is_quick=True)
    assert done == ["quick"]
    tasks.work_once()
    assert done == ["quick", "long"]


def test_a_store_that_cannot_be_used_ends_no_thread_and_is_tried_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_task: Task, _hands: Hands) -> str:
        with bench.store.transaction() as sql:
            sql.execute("create trigger no_end before update on tasks begin select raise(abort, 'full'); end")
        return "well"

    tasks = bench.tasks(kind(work))
    number = tasks.ask(tasks.kinds["try"], "", "Ann")
    assert tasks.work_once() == PATIENCE_SECONDS
    assert [record.message for record in caplog.records] == ["web.jobs.failed"]
    assert bench.task(number).state is TaskState.RUNNING
    with bench.store.transaction() as sql:
        sql.execute("drop trigger no_end")
    tasks.work_once()
    assert (bench.task(number).state, bench.task(number).result) == (TaskState.DONE, "well")


def test_a_task_that_ends_after_the_store_was_closed_says_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_task: Task, _hands: Hands) -> str:
        tasks.stop(0.0)
        bench.store.close()
        return "too late"

    tasks = bench.tasks(kind(work))
    tasks.ask(tasks.kinds["try"], "", "Ann")
    tasks.start()
    assert tasks.stop(60.0)
    assert caplog.records == []


def test_a_kind_that_this_program_does_not_know_waits(bench: Bench) -> None:
    number = add_task(bench.store, "of another version", "", "", "Ann", NOW)
    bench.tasks(kind(lambda _task, _hands: "")).work_once()
    assert bench.task(number).state is TaskState.QUEUED


def test_a_file_is_kept_for_a_day_for_its_owner_only(bench: Bench) -> None:
    def work(_task: Task, hands: Hands) -> str:
        hands.file("mail.zip").write_bytes(b"content")
        return "written"

    task = bench.done(work)
    assert task.file is not None
    assert (task.file.name, task.file.octets, task.file.until) == ("mail.zip", 7, NOW + KEPT_SECONDS)
    folder = folder_of(task.number, bench.config)
    assert folder.stat().st_mode & 0o777 == 0o700
    take_away_old(bench.config, bench.store, task.file.until - 1)
    assert (folder / "mail.zip").is_file()
    take_away_old(bench.config, bench.store, task.file.until)
    assert not folder.exists()
    assert files_of(bench.store) == {}
    assert KEPT_SECONDS == 86400


def test_a_task_that_fails_leaves_no_file(bench: Bench) -> None:
    def work(_task: Task, hands: Hands) -> str:
        hands.file("mail.zip").write_bytes(b"content")
        raise FerryError(Kind.REFUSED, "no")

    task = bench.done(work)
    assert task.file is None
    assert not folder_of(task.number, bench.config).exists()


def test_the_folder_of_a_task_under_way_stays(bench: Bench) -> None:
    def work(_task: Task, hands: Hands) -> str:
        path = hands.file("mail.zip")
        path.write_bytes(b"content")
        take_away_old(bench.config, bench.store, NOW + 10 * KEPT_SECONDS)
        assert path.is_file()
        return ""

    assert bench.done(work).state is TaskState.DONE


def test_what_belongs_to_no_task_is_taken_away(bench: Bench) -> None:
    stray = bench.config.state_dir / FOLDER / "99"
    stray.mkdir(parents=True)
    take_away_old(bench.config, bench.store, NOW)
    assert not stray.exists()


def test_no_file_is_begun_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    path = written(tmp_path, "alice")
    path.write_text(path.read_text() + '[notify]\ndisk_free = "900000 GB"\n')
    config = load(path)
    with closing(Ledger.open(config.state_dir)) as ledger, closing(WebStore(config.state_dir)) as store:
        task = Bench(config, store, ledger).done(lambda _task, hands: str(hands.file("mail.zip")))
    assert (task.state, task.result) == (TaskState.FAILED, "the disk of the state folder is nearly full")


def refuse(_task: Task, _hands: Hands) -> str:
    raise FerryError(Kind.REFUSED, "the server refused the <log-in>; the mailbox is full")


def misconfigure(_task: Task, _hands: Hands) -> str:
    raise ConfigError(["the mailbox is full", "nothing <to> see"])


@pytest.mark.parametrize(
    ("work", "result"),
    [
        (lambda _task, _hands: gettext("Nothing was found."), "Es wurde nichts gefunden."),
        (refuse, "the server refused the <log-in>; Das Postfach ist voll"),
        (misconfigure, "Das Postfach ist voll nothing <to> see"),
    ],
)
def test_a_result_is_in_the_language_of_who_asked(bench: Bench, work: Work, result: str) -> None:
    with speaking(shipped_language("de")):
        tasks = bench.tasks(kind(work))
        number = tasks.ask(tasks.kinds["try"], "alice", "Ann")
    tasks.work_once()
    assert (bench.task(number).result, bench.task(number).language) == (result, "de")
    assert bench.done(lambda _task, _hands: gettext("Nothing was found.")).result == "Nothing was found."
