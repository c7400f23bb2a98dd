"""The small parts of the service: time-tables, fingerprints, sd_notify, ticks, watched files, disks, redaction."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.config_watch import Watched
from jobs.disk_usage import SPAN_NEEDED, Disk, forecast, full_in, measured
from jobs.lock import worker_lock
from jobs.monitoring.stored_view import least_free
from jobs.periodic import PeriodicTasks
from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.timetable import Timetable
from jobs.schedule.workers import Liveness
from jobs.systemd import Supervisor
from migrator.config import Config, Notify, Schedule, load
from migrator.config.redaction import without_passwords
from migrator.errors import ConfigError
from migrator.ledger import Ledger
from tests.unit.jobs.office import MemoryStateStore

NOW = 1_795_996_800.0  # a Monday, midnight UTC
BERLIN = ZoneInfo("Europe/Berlin")

CONFIG = """\
state_dir = "state"
[[accounts]]
name = "ann"
[accounts.source]
host = "pop.example.org"
username = "ann"
password = {password}
[[accounts.destinations]]
type = "imap"
host = "imap.example.org"
username = "ann"
password = "hunter2"
"""


def config(folder: Path, password: str = '"geheim1"', more: str = "") -> Config:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(password=password) + more)
    path.chmod(0o600)
    return load(path)


def test_a_round_comes_every_interval_and_accounts_are_spread() -> None:
    schedule = Schedule(every=timedelta(minutes=15), jitter=timedelta(seconds=1))
    table = Timetable(schedule, NOW)
    first = [table.next_after(f"user{number}", NOW) - NOW for number in range(50)]
    assert all(450 <= wait <= 902 for wait in first)
    assert len({round(wait) for wait in first}) > 40
    moments = [table.next_after("ann", NOW + 900 * number) for number in range(4)]
    assert all(898 <= later - earlier <= 902 for earlier, later in pairwise(moments))


def test_a_round_that_is_due_now_is_not_the_next_one() -> None:
    for schedule in (Schedule(every=timedelta(minutes=15)), Schedule(cron="*/15 * * * *", timezone="UTC")):
        table = Timetable(schedule, NOW)
        due = NOW - 1.0
        for _ in range(5):
            later = table.next_after("ann", due)
            assert 0 < later - due <= 970, schedule
            due = later


def test_cron_goes_by_its_time_zone_through_a_change_of_clocks() -> None:
    table = Timetable(Schedule(cron="30 3 * * *", timezone="Europe/Berlin"), NOW)
    for day in (datetime(2026, 3, 28, 12, tzinfo=BERLIN), datetime(2026, 10, 24, 12, tzinfo=BERLIN)):
        due = datetime.fromtimestamp(table.next_after("ann", day.timestamp()), BERLIN)
        assert (due.day, due.hour, due.minute) == (day.day + 1, 3, 30)


def test_a_fingerprint_changes_with_what_was_refused(tmp_path: Path) -> None:
    prints = Fingerprints(b"key")
    before = config(tmp_path)
    assert prints.configured(before.accounts[0], before) == prints.configured(config(tmp_path).accounts[0], before)
    for password, more in (('"geheim2"', ""), ('"geheim1"', '[schedule]\nevery = "1 hour"\n')):
        after = config(tmp_path, password, more)
        assert prints.configured(after.accounts[0], after) != prints.configured(before.accounts[0], before)


def test_a_fingerprint_is_the_same_wherever_the_configuration_stands(tmp_path: Path) -> None:
    prints = Fingerprints(b"key")
    (tmp_path / "other").mkdir()
    one, other = config(tmp_path), config(tmp_path / "other", more="# a comment\n")
    assert prints.configured(one.accounts[0], one) == prints.configured(other.accounts[0], other)


def test_a_fingerprint_sees_a_new_password_at_its_source(tmp_path: Path) -> None:
    prints = Fingerprints(b"key")
    secret = tmp_path / "password"
    one = config(tmp_path, f'{{ file = "{secret}" }}')
    seen = set()
    for content in (None, "old", "new"):
        if content:
            secret.write_text(content)
        seen.add(prints.current(one.accounts[0], one))
        assert prints.configured(one.accounts[0], one) == prints.configured(one.accounts[0], one)
    assert len(seen) == 3


def test_a_command_that_prints_a_fresh_token_each_time_is_no_change(tmp_path: Path) -> None:
    prints = Fingerprints(b"key")
    runs = tmp_path / "runs"
    command = f"sh -c 'echo run >> {runs}; wc -l < {runs}'"
    one = config(tmp_path, f'{{ command = "{command}" }}\nauth = "xoauth2"')
    assert prints.current(one.accounts[0], one) == prints.current(one.accounts[0], one)
    assert not runs.exists()  # looking costs no token
    other = config(tmp_path, f'{{ command = "{command}" }}')
    assert prints.current(other.accounts[0], other) != prints.current(other.accounts[0], other)


def test_the_key_of_the_fingerprints_is_private_and_stays(tmp_path: Path) -> None:
    one = config(tmp_path)
    first = Fingerprints.of_state_dir(tmp_path).current(one.accounts[0], one)
    assert Fingerprints.of_state_dir(tmp_path).current(one.accounts[0], one) == first
    assert (tmp_path / "parking.key").stat().st_mode & 0o777 == 0o600
    assert Fingerprints(b"another key").current(one.accounts[0], one) != first


def test_systemd_is_told_in_its_own_words() -> None:
    sent: list[tuple[str, bytes]] = []
    supervisor = Supervisor("/run/notify", 60.0, lambda address, message: sent.append((address, message)))
    supervisor.ready()
    supervisor.status("0 of 2 accounts, 0 errors")
    supervisor.alive()
    supervisor.stopping()
    assert {address for address, _ in sent} == {"/run/notify"}
    messages = [message for _, message in sent]
    assert messages == [b"READY=1", b"STATUS=0 of 2 accounts, 0 errors", b"WATCHDOG=1", b"STOPPING=1\nSTATUS=ending"]
    supervisor.reloading()
    assert sent[-1][1].startswith(b"RELOADING=1\nMONOTONIC_USEC=")


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_for_this_process_only(environment: dict[str, str], watchdog: float) -> None:
    assert Supervisor.of_environment(environment).watchdog == watchdog


def test_a_lost_message_to_systemd_is_no_error(tmp_path: Path) -> None:
    Supervisor(str(tmp_path / "nobody")).ready()


def test_ticks_come_in_their_periods_and_never_twice_for_a_late_one() -> None:
    now = [0.0]
    done: list[str] = []
    ticks = PeriodicTasks(lambda: now[0])
    ticks.every(5, lambda: done.append("five"))
    ticks.every(20, lambda: done.append("twenty"))
    assert ticks.next_in() == 5
    now[0] = 21.0
    ticks.run_due()
    assert done == ["five", "twenty"]
    assert ticks.next_in() == 5


def test_whoever_gets_nowhere_is_stuck_and_whoever_rests_is_not() -> None:
    now = [0.0]
    liveness = Liveness(lambda: now[0])
    liveness.beat("ann")
    liveness.beat("bob")
    liveness.rest("bob")
    now[0] = 100.0
    assert liveness.stuck(99.0) == ["ann"]
    liveness.beat("ann")
    assert liveness.stuck(99.0) == []


def test_a_changed_file_is_noticed_once_it_is_left_alone(tmp_path: Path) -> None:
    one = config(tmp_path)
    watched = Watched(one)
    assert not watched.has_changed()
    (tmp_path / "config.toml").write_text("half of it")
    assert not watched.has_changed()
    assert watched.has_changed()
    watched.look(one)
    assert not watched.has_changed()
    (tmp_path / "config.toml").unlink()
    assert [watched.has_changed(), watched.has_changed()] == [False, True]


def test_a_second_worker_is_refused(tmp_path: Path) -> None:
    with worker_lock(tmp_path), pytest.raises(ConfigError, match="another mailferry run"), worker_lock(tmp_path):
        pass
    with worker_lock(tmp_path):
        pass


def test_a_disk_that_fills_has_its_forecast() -> None:
    hourly = [(NOW + 3600.0 * hour, 1_000_000.0 - 1000 * hour) for hour in range(48)]
    assert full_in(hourly, 953_000.0) == pytest.approx(953 * 3600)
    assert full_in(hourly[:20], 981_000.0) == float("inf")
    assert full_in([(moment, 5.0) for moment, _ in hourly], 5.0) == float("inf")
    assert full_in([], 5.0) == float("inf")


def test_each_file_system_is_measured_once_and_sampled_each_hour(tmp_path: Path) -> None:
    store, disks = MemoryStateStore(), list[Disk]()
    for hour in range(30):
        for minute in (0, 20, 40):
            disks = measured(
                [tmp_path, tmp_path / "not" / "yet"], lambda _total: 10**9, store, NOW + hour * 3600 + minute * 60
            )
    [disk] = disks
    assert disk.path == str(tmp_path)
    samples = store.get_all("disks")[str(tmp_path)]["samples"]
    assert isinstance(samples, list)
    assert len(samples) == 30
    assert samples[-1][0] - samples[0][0] >= SPAN_NEEDED
    assert forecast(store, tmp_path, disk.free) > 0


@pytest.mark.parametrize(
    ("settings", "total", "wanted"),
    [
        (None, 10**12, 10**9),
        (None, 50_000_000, 5_000_000),
        (Notify(after_failures=3), 50_000_000, 5_000_000),
        (Notify(disk_free=10**9, written=frozenset({"disk_free"})), 50_000_000, 10**9),
    ],
)
def test_how_much_must_be_free_is_what_is_configured_or_fits_the_disk(
    settings: Notify | None, total: int, wanted: int
) -> None:
    assert least_free(settings, total) == wanted


def test_a_configuration_is_given_out_without_its_secrets(tmp_path: Path) -> None:
    more = """\
# The password is not "password".
[notify]
apprise = ["slack://token-a/token-b", { env = "APPRISE" }]
[notify.smtp]
host = "mail.example.org"
username = "ferry"
password = 'geheim3'
sender = "ferry@example.org"
to = ["ann@example.org"]
[pings]
url = "https://hc.example.org/5f3c"
accounts = { ann = "https://hc.example.org/7a1b" }
"""
    config(tmp_path, more=more)
    text = without_passwords(tmp_path / "config.toml")
    assert text is not None
    for secret in ("geheim1", "hunter2", "geheim3", "token-a", "5f3c", "7a1b"):
        assert secret not in text
    assert '# The password is not "password".' in text
    assert '{ env = "APPRISE" }' in text
    assert 'host = "mail.example.org"' in text


@pytest.mark.parametrize("password", [r'"ge\u0068eim"', '"geheim" # geheim'])
def test_what_cannot_be_told_from_the_rest_is_not_given_out(tmp_path: Path, password: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(password=password))
    assert without_passwords(path) is None


def test_a_sheet_of_accounts_is_given_out_without_its_passwords(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("name;host;username;password;mbox\nann;pop;ann;gehe,im;a\nbob;pop;bob;;b\n")
    assert without_passwords(path) == "name;host;username;password;mbox\nann;pop;ann;***;a\nbob;pop;bob;;b\n"


def test_the_ledgers_notes_keep_what_they_are_given(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.state_store.put("topic", "ann", {"at": 1.5, "list": [[1.0, 2.0]]})
    ledger.state_store.put("topic", "ann", {"at": 2.5})
    ledger.state_store.put("other", "ann", {})
    ledger.close()
    again = Ledger.open(tmp_path)
    assert again.state_store.get_all("topic") == {"ann": {"at": 2.5}}
    again.state_store.delete("topic", "ann")
    again.state_store.delete("topic", "nobody")
    assert again.state_store.get_all("topic") == {}
    assert again.state_store.mismatches() == {}
    again.close()


def test_a_copy_of_the_ledger_is_whole_while_others_write(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "state")
    ledger.state_store.put("topic", "before", {})
    other = Ledger.open(tmp_path / "state")
    ledger.copy_to(tmp_path / "ledger.sqlite3")
    other.state_store.put("topic", "after", {})
    copy = Ledger.open(tmp_path)
    assert list(copy.state_store.get_all("topic")) == ["before"]
    assert copy.integrity_problems() == []
    for one in (ledger, other, copy):
        one.close()


def test_a_password_commands_own_secrets_are_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'ledger = "postgresql://ferry:hunter3@db/mail"\n' + CONFIG.format(password='{ command = "echo hunter4" }')
    )
    text = without_passwords(path)
    assert text is not None
    assert '{ command = "echo ***" }' in text
    assert '"postgresql://ferry:***@db/mail"' in text
    assert "hunter" not in text
    reference = CONFIG.format(password='{ command = "pass show mail/ann" }')
    path.write_text(reference)
    assert without_passwords(path) == reference.replace("hunter2", "***")


def test_a_command_that_cannot_be_cut_out_is_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(password=r'{ command = "echo \"a b\"" }'))
    assert without_passwords(path) is None


def test_every_column_of_passwords_is_hidden_and_no_reference_to_one(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("name,Password,password_env,imap_password_command,Source Password\na,x1,PW,echo x2,x3,more\n")
    assert without_passwords(path) == (
        "name,Password,password_env,imap_password_command,Source Password\na,***,PW,echo ***,***,more\n"
    )


def test_a_password_that_is_no_utf_8_is_hashed_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = config(tmp_path, password='{ env = "MAILFERRY_TEST" }')
    prints = Fingerprints(b"key")
    seen = set()
    for latin in (b"gr\xfcn", b"gr\xfdn", b"gr\xfcn"):
        monkeypatch.setitem(os.environb, b"MAILFERRY_TEST", latin)
        seen.add(prints.current(one.accounts[0], one))
    assert len(seen) == 2
