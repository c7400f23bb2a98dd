"""Fixtures that start real servers, and the rule on what a run of the tests may leave out.

A test that cannot run here is skipped with its reason, and the end of the run says what was left out. Where
MAILFERRY_TESTS is "strict" (as .ci/run sets it), leaving anything out is a failure.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import (
    courier as courier_server,
    cyrus as cyrus_server,
    dovecot as dovecot_server,
    postgres as postgres_server,
)
from tests.servers.courier import Courier
from tests.servers.cyrus import Cyrus
from tests.servers.dovecot import Dovecot
from tests.servers.pop3_rule import unpunished
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from tests.servers.object_store import Bucket, ObjectStoreServer

pytest.register_assert_rewrite("tests.contract.suite")
pytest_plugins = ["tests.command_line"]

StartDovecot = Callable[..., Dovecot]

# A slow machine makes no test fail, and what must not leave anything out must not depend on chance either.
settings.register_profile(
    "mailferry",
    deadline=None,
    derandomize=os.environ.get("MAILFERRY_TESTS") == "strict",
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("mailferry")
PrivateImap = Cyrus | Courier


@pytest.fixture(autouse=True, scope="session")
def no_cache_of_a_person_is_touched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what commands keep for the next one in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def umask_as_before() -> Iterator[None]:
    """Undo what the command line sets for its process: a later server's files must be readable by its own user."""
    before = os.umask(0o077)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def nothing_is_deleted_unread() -> Iterator[None]:
    """Fail a test in which a scripted server was told DELE for what its session had not read, however it ended."""
    unpunished.clear()
    yield
    broken = list(unpunished)
    unpunished.clear()
    assert not broken, "\n".join(["deleted without having been read:", *broken])


@pytest.fixture
def start_dovecot() -> Iterator[StartDovecot]:
    """Start a Dovecot with the arguments of ``Dovecot``; it stops with the test. Left out where there is none."""
    if reason := dovecot_server.why_missing():
        pytest.skip(reason)
    with ExitStack() as servers:
        yield lambda *args, **options: servers.enter_context(Dovecot(*args, **options))


@pytest.fixture
def dovecot(start_dovecot: StartDovecot) -> Dovecot:
    """A fresh Dovecot with Maildirs."""
    return start_dovecot()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStoreServer]:
    """An object store for all tests of a process: its buckets keep them apart, and it takes seconds to import."""
    from tests.servers.object_store import ObjectStoreServer

    with closing(ObjectStoreServer()) as server:
        yield server


@pytest.fixture
def bucket(object_store: ObjectStoreServer) -> Bucket:
    """A fresh bucket of an object store."""
    return object_store.bucket()


@pytest.fixture
def cyrus() -> Iterator[Cyrus]:
    """A fresh Cyrus. Left out where there is none."""
    if reason := cyrus_server.why_missing():
        pytest.skip(reason)
    with Cyrus() as server:
        yield server


@pytest.fixture
def courier() -> Iterator[Courier]:
    """A fresh Courier. Left out where there is none."""
    if reason := courier_server.why_missing():
        pytest.skip(reason)
    with Courier() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    if reason := postgres_server.why_missing():
        pytest.skip(reason)
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_cluster: Postgres) -> Postgres:
    """The PostgreSQL that this run's tests share, running; who stops or restarts it need not start it again."""
    if not postgres_cluster.is_running():
        postgres_cluster.start()
    return postgres_cluster


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """The address of a fresh database in PostgreSQL, by its socket."""
    with postgres.database() as name:
        yield postgres.dsn(name)


@pytest.fixture(params=["cyrus", "courier"])
def private_imap(request: pytest.FixtureRequest) -> PrivateImap:
    """Cyrus and Courier in turn."""
    server: PrivateImap = request.getfixturevalue(request.param)
    return server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "start_dovecot" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dovecot)
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_left_out(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_left_out(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    for reason, tests in sorted(reasons.items()):
        terminalreporter.write_line(f"left out: {tests} {'test' if tests == 1 else 'tests'}: {reason}")


def _fail_if_left_out(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("MAILFERRY_TESTS") == "strict":
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"left out, and MAILFERRY_TESTS=strict allows none: {reason}"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")
