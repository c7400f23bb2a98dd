"""Allowances of providers: so much at once, evenly after that, and remembered over restarts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.imap.upload_limits import PRESETS, Allowance, AllowanceFiles, Allowances, UploadAllowance, preset_for
from migrator.ledger import Ledger

DAILY = Allowances(octets=(Allowance("octets per day", 1000, 86_400.0),))
RATE = Allowances(messages=(Allowance("messages per second", 4, 1.0),))


@dataclass
class Clock:
    now: float = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_is_left_may_be_used_at_once_and_then_refills_evenly(tmp_path: Path, clock: Clock) -> None:
    allowance = UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock)
    assert allowance.wait(1000) == 0
    allowance.spend(1000)
    assert allowance.wait(100) == pytest.approx(8640)
    clock.now += 8640
    assert allowance.wait(100) == pytest.approx(0)
    clock.now += 86_400
    assert allowance.wait(1000) == 0


def test_what_is_larger_than_the_allowance_waits_for_a_full_one(tmp_path: Path, clock: Clock) -> None:
    allowance = UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock)
    assert allowance.wait(5000) == 0
    allowance.spend(500)
    assert allowance.wait(5000) == pytest.approx(43_200)


def test_a_restart_forgets_nothing_and_other_users_have_their_own(tmp_path: Path, clock: Clock) -> None:
    UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock).spend(1000)
    assert UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock).wait(1) > 0
    assert UploadAllowance(DAILY, "bob@host", AllowanceFiles(tmp_path), clock=clock).wait(1) == 0


def test_two_runs_of_one_user_share_what_is_left(tmp_path: Path, clock: Clock) -> None:
    one, other = (UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock) for _ in range(2))
    one.spend(600)
    other.spend(400)
    assert one.wait(1) > 0


def test_what_one_machine_spent_another_knows(database: str, clock: Clock) -> None:
    """Each has an opening of the shared ledger of its own."""
    with closing(Ledger.open(database)) as here, closing(Ledger.open(database)) as there:
        stores = [ledger.copies("imap:ann@host/INBOX", "imap").shared_allowances() for ledger in (here, there)]
        one, other = (UploadAllowance(DAILY, "ann@host", store, clock=clock) for store in stores if store is not None)
        one.spend(600)
        other.spend(400)
        assert one.wait(1) > 0
        assert UploadAllowance(DAILY, "bob@host", one.store, clock=clock).wait(1) == 0


def test_a_ledger_that_is_a_file_leaves_it_to_files(tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path)) as ledger:
        assert ledger.copies("imap:ann@host/INBOX", "imap").shared_allowances() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"octets per day": "x"}', b"\xff"])
def test_a_damaged_file_counts_as_nothing_spent(tmp_path: Path, clock: Clock, content: bytes) -> None:
    UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock).spend(1000)
    [file] = tmp_path.iterdir()
    file.write_bytes(content)
    assert UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock).wait(1000) == 0


def test_a_clock_that_was_set_back_locks_nobody_out_for_long(tmp_path: Path, clock: Clock) -> None:
    allowance = UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock)
    allowance.spend(1000)
    clock.now -= 1e9
    assert allowance.wait(1) <= 2 * 86_400


def test_without_allowances_nothing_is_written(tmp_path: Path, clock: Clock) -> None:
    allowance = UploadAllowance(Allowances(), "ann@host", AllowanceFiles(tmp_path), clock=clock)
    allowance.spend(10**12)
    assert allowance.wait(10**12) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_for_its_owner_alone(tmp_path: Path, clock: Clock) -> None:
    UploadAllowance(DAILY, "ann@host", AllowanceFiles(tmp_path), clock=clock).spend(1)
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_rate_per_second_bounds_the_burst() -> None:
    assert RATE.burst == 20
    assert DAILY.burst is None


@pytest.mark.parametrize("host", ["imap.gmail.com", "IMAP.GMAIL.COM.", "outlook.office365.com", "imap.fastmail.com"])
def test_known_providers_have_presets(host: str) -> None:
    assert preset_for(host) != Allowances()


def test_unknown_hosts_have_none() -> None:
    assert preset_for("imap.example.org") == Allowances()


def test_presets_name_each_allowance_once() -> None:
    for preset in PRESETS.values():
        names = [one.name for one in (*preset.octets, *preset.messages)]
        assert len(names) == len(set(names))
        assert all(one.amount > 0 and one.seconds > 0 for one in (*preset.octets, *preset.messages))
