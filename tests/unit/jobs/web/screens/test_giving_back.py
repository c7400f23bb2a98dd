from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.web.people import Role
from jobs.web.tasks.chosen import Chosen
from jobs.web.tasks.files import folder_of, refuse_full_disk
from jobs.web.tasks.restore import RESTORE, Restore, places_to_restore
from jobs.web.tasks.task_store import newest_tasks
from migrator.archive.restore import Grouping
from migrator.config import load
from migrator.errors import FerryError, Kind
from tests.browser import Browser
from tests.mail import mail
from tests.servers.imap import HasRoomFor, ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.unit.jobs.web.mail import letter, stored
from tests.unit.jobs.web.office import PASSWORD, Office, office, opened, written


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


EVERYTHING = "/give-back?account=&q="


def result_of(here: Office, browser: Browser) -> str:
    """Wait until nothing is left to do; return how the newest job ended."""
    while not newest_tasks(here.site.store, 1)[0].state.is_over:
        assert browser.get("/jobs").status == 200
    task = newest_tasks(here.site.store, 1)[0]
    return f"{task.state}: {task.result}"


def test_what_a_search_finds_is_saved_as_one_zip(here: Office, tmp_path: Path) -> None:
    content = letter("invoice")
    [identity] = stored(tmp_path, "alice", content)
    stored(tmp_path, "bob", mail("lunch"))
    browser = here.signed_in()
    page = browser.get("/search?q=invoice")
    assert 'href="/give-back?q=invoice"' in page.text
    page = browser.get("/give-back?q=invoice")
    assert "1 message that a search for invoice finds." in page.text
    form = page.form("/exports")
    assert form.fields["q"] == "invoice"
    assert browser.send(form, own=PASSWORD, format="eml").location == "/jobs?said=task-asked"
    assert result_of(here, browser) == "done: 1 message was written."
    number = newest_tasks(here.site.store, 1)[0].number
    assert f'href="/jobs/{number}/file"' in browser.get("/jobs").text
    saved = browser.get(f"/jobs/{number}/file")
    assert saved.headers["content-disposition"].startswith(f'attachment; filename="mailferry-export-{number}.zip"')
    assert saved.headers["content-type"] == "application/octet-stream"
    with zipfile.ZipFile(io.BytesIO(saved.body)) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".eml")]
        assert archive.read(name) == content
        assert archive.read("SHA256SUMS").decode().startswith(identity)
    place = folder_of(number, here.config) / f"mailferry-export-{number}.zip"
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_own_password_is_asked_for_again(here: Office) -> None:
    browser = here.signed_in()
    form = browser.get(EVERYTHING).form("/exports")
    answer = browser.send(form, own="not mine at all", format="eml")
    assert (answer.status, 'role="alert"' in answer.text) == (422, True)
    assert newest_tasks(here.site.store, 5) == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.READER])
def test_only_an_administrator_takes_mail_away(role: Role, here: Office) -> None:
    browser = here.signed_in("otto", role, "alice")
    fields = {**browser.get("/").form("/sign-out").fields, "own": PASSWORD, "format": "eml"}
    answers = [browser.get("/give-back"), browser.get(EVERYTHING), browser.get("/jobs/1/file")]
    answers += [browser.post(path, fields) for path in ("/exports", "/restores")]
    for answer in answers:
        assert answer.status == 403
    assert newest_tasks(here.site.store, 5) == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"format": "exe"}, 422), ({"account": "nobody"}, 404), ({"q": "date:never"}, 422), ({"format": "../x"}, 422)],
)
def test_what_makes_no_sense_is_not_begun(fields: dict[str, str], status: int, here: Office) -> None:
    browser = here.signed_in()
    form = browser.get(EVERYTHING).form("/exports")
    assert browser.send(form, **{"own": PASSWORD, "format": "eml", **fields}).status == status
    assert newest_tasks(here.site.store, 5) == []


def test_an_export_of_nothing_says_so_and_leaves_nothing(here: Office) -> None:
    browser = here.signed_in()
    assert browser.send(browser.get(EVERYTHING).form("/exports"), own=PASSWORD, format="mbox").status == 303
    assert result_of(here, browser) == "failed: no message was found to write"
    assert list((here.config.state_dir / "exports").iterdir()) == []
    assert browser.get(f"/jobs/{newest_tasks(here.site.store, 1)[0].number}/file").status == 404


def test_a_disk_is_not_filled_by_it(here: Office, tmp_path: Path) -> None:
    refuse_full_disk(tmp_path, here.config)
    text = (tmp_path / "config.toml").read_text() + '[notify]\ndisk_free = "900000 GB"\n'
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(FerryError, match="nearly full") as caught:
        refuse_full_disk(tmp_path, load(tmp_path / "config.toml"))
    assert (caught.value.kind, caught.value.finding) == (Kind.DISK_FULL, "disk-full")


@contextmanager
def imap(tmp_path: Path, *faults: ImapFault) -> Iterator[tuple[Mailboxes, dict[str, str | list[str]]]]:
    """Give the folders of a mailbox, and what is written into the form to give mail back to it."""
    mailboxes = Mailboxes()
    with ImapServer(mailboxes, faults=faults) as server:
        filled: dict[str, str | list[str]] = {
            "place": "other",
            "host": server.host,
            "port": str(server.port),
            "tls": "none",
            "username": "ann@example.org",
            "password": server.password,
            "folder": "Restored",
            "by": "none",
            "own": PASSWORD,
        }
        yield mailboxes, filled


def secrets_of(filled: dict[str, str | list[str]], folder: Path) -> list[Path]:
    """Return the files in which the password of a mailbox stands."""
    secret = str(filled["password"]).encode()
    return [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_ticked_messages_go_into_another_mailbox_once(here: Office, tmp_path: Path) -> None:
    contents = [letter(subject) for subject in ("one", "two", "three")]
    identities = stored(tmp_path, "alice", *contents)
    browser = here.signed_in()
    page = browser.get("/search?q=*")
    for identity in identities:
        assert f'name="id" value="{identity}"' in page.text
    page = browser.get(f"/give-back?ticked=1&id={identities[0]}&id={identities[2]}")
    assert "2 ticked messages:" in page.text
    assert ("one" in page.text, ">two<" in page.text, "three" in page.text) == (True, False, True)
    ids = [identities[0], identities[2]]
    with imap(tmp_path) as (mailboxes, filled):
        for expected in (
            "done: 2 messages were given back (KB) and read again to prove it.",
            "done: 2 messages were there already.",
        ):
            answer = browser.send(page.form("/restores"), **{**filled, "id": ids})
            assert (answer.status, answer.location) == (303, "/jobs?said=task-asked")
            assert re.sub(r"\(\d.* kB\)", "(KB)", result_of(here, browser)) == expected
            assert sorted(mailboxes.contents(b"Restored")) == sorted([contents[0], contents[2]])
        assert secrets_of(filled, tmp_path) == []
    jobs = browser.get("/jobs").text
    assert "2 ticked messages, to Restored of ann@example.org at 127.0.0.1" in jobs
    entry = next(entry for entry in here.site.store.audit(20) if entry.action == "give mail back")
    assert entry.outcome == "job 2: Restored of ann@example.org at 127.0.0.1"


def test_a_whole_mailbox_goes_into_folders_by_mailbox(here: Office, tmp_path: Path) -> None:
    shared = letter("for both")
    stored(tmp_path, "alice", letter("of alice"), shared)
    stored(tmp_path, "bob", letter("of bob"), shared)
    browser = here.signed_in()
    with imap(tmp_path) as (mailboxes, filled):
        page = browser.get(EVERYTHING)
        assert "Everything: 3 messages." in page.text
        browser.send(page.form("/restores"), **{**filled, "by": "account"})
        assert result_of(here, browser).startswith("done: 4 messages were given back")
        assert sorted(map(len, (mailboxes.contents(b"Restored/alice"), mailboxes.contents(b"Restored/bob")))) == [2, 2]
        browser.send(page.form("/restores"), **{**filled, "folder": "Together"})
        assert result_of(here, browser).startswith("done: 3 messages were given back")
        page = browser.get("/give-back?account=bob")
        assert "Everything of bob: 2 messages." in page.text
        browser.send(page.form("/restores"), **{**filled, "folder": "Of Bob"})
        assert result_of(here, browser).startswith("done: 2 messages were given back")
        assert len(mailboxes.contents(b"Of Bob")) == 2


def test_a_password_that_is_wrong_is_said_and_written_nowhere(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", letter())
    browser = here.signed_in()
    with imap(tmp_path) as (mailboxes, filled):
        wrong = {**filled, "password": "not this one at all"}
        browser.send(browser.get(EVERYTHING).form("/restores"), **wrong)
        said = result_of(here, browser)
        assert said.startswith("failed: 1 message could not be given back: ")
        assert "not this one at all" not in said
        assert mailboxes.contents(b"Restored") == []
        assert secrets_of(wrong, tmp_path) == []


def test_a_mailbox_that_becomes_full_fails_and_says_how_far_it_went(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", *(letter(str(number)) for number in range(3)))
    browser = here.signed_in()
    with imap(tmp_path, HasRoomFor(2)) as (mailboxes, filled):
        browser.send(browser.get(EVERYTHING).form("/restores"), **filled)
        said = result_of(here, browser)
        stands = len(mailboxes.contents(b"Restored"))
        assert said.startswith(f"failed: {stands} message" if stands else "failed: 3 messages could not be")
        assert f"{3 - stands} message" in said


def test_a_restore_whose_password_is_gone_since_a_restart_says_so(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", letter())
    browser = here.signed_in()
    wanted = Restore(Chosen(), Grouping.NONE, "a mailbox", url="imaps://ann@imap.example.org/INBOX")
    here.site.tasks.ask(RESTORE, "", "ann", details=wanted.as_details())  # as it is after a restart: without a secret
    assert result_of(here, browser) == (
        "failed: the password that was typed for it was in memory only, and is gone since a restart: ask again"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"place": "nowhere"}, "Choose the mailbox"),
        ({"place": ""}, "Choose the mailbox"),
        ({"host": ""}, "Write the server"),
        ({"username": ""}, "Write the server"),
        ({"folder": " "}, "Write the server"),
        ({"password": ""}, "password is missing"),
        ({"port": "many"}, "host and port cannot be made out"),
        ({"tls": "none", "host": "imap.example.org"}, "allow_plaintext"),
        ({"own": "not mine at all"}, "own password"),
    ],
)
def test_a_mailbox_that_is_none_is_said_beside_the_form(fields: dict[str, str], said: str, here: Office) -> None:
    browser = here.signed_in()
    filled = {
        "place": "other",
        "host": "imap.example.org",
        "tls": "implicit",
        "port": "",
        "username": "ann",
        "password": "a secret of the mailbox",
        "folder": "Old mail",
        "by": "none",
        "own": PASSWORD,
    }
    answer = browser.send(browser.get(EVERYTHING).form("/restores"), **{**filled, **fields})
    assert (answer.status, newest_tasks(here.site.store, 5)) == (422, [])
    assert 'role="alert"' in answer.text
    assert said in answer.text
    assert "a secret of the mailbox" not in answer.text
    assert ("Old mail" in answer.text) is (fields.get("folder") is None)


@pytest.mark.parametrize("fields", [{"by": "label"}, {"tls": "ssl"}])
def test_what_no_form_of_ours_sends_is_refused(fields: dict[str, str], here: Office) -> None:
    browser = here.signed_in()
    sent = {"place": "other", "by": "none", "tls": "implicit", "own": PASSWORD, **fields}
    assert browser.send(browser.get(EVERYTHING).form("/restores"), **sent).status == 422
    assert newest_tasks(here.site.store, 5) == []


def test_nothing_ticked_is_not_everything(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", letter())
    browser = here.signed_in()
    page = browser.get("/give-back?ticked=1")
    assert (page.status, "No message was ticked" in page.text) == (422, True)
    assert [form.action for form in page.forms()] == ["/sign-out", "/give-back"]


def test_what_is_not_there_cannot_be_given_back(here: Office) -> None:
    browser = here.signed_in()
    for path in (f"?id={'0' * 64}", "?id=xyz", "?account=nobody", "?q=date:never"):
        assert browser.get(f"/give-back{path}").status in {404, 422}
    many = "&".join(["id=00000000"] * 501)
    assert browser.get(f"/give-back?{many}").status == 422


def test_a_configured_destination_gets_back_what_somebody_took_out(tmp_path: Path) -> None:
    place = tmp_path / "archive" / "alice"
    path = written(tmp_path, "alice", "bob")
    path.write_text(
        path.read_text().replace('type = "mbox"\npath = "archive/alice"', 'type = "maildir"\npath = "archive/alice"')
    )
    with opened(path) as here:
        content = letter("kept twice")
        stored(tmp_path, "alice", content)
        stored(tmp_path, "bob", content)
        [taken] = list((place / "new").iterdir())
        taken.unlink()
        browser = here.signed_in()
        page = browser.get(EVERYTHING)
        assert f"maildir {place}" in page.text
        assert "mbox" not in page.text.partition("Which mailbox")[2]
        identity = places_to_restore(here.config)[0][0]
        browser.send(page.form("/restores"), place=identity, tls="implicit", by="none", own=PASSWORD)
        assert result_of(here, browser).startswith("done: 1 message was given back")
        assert len(list((place / "new").iterdir())) == 1
