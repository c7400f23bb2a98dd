"""Tell me: whom the worker tells and when, a test of it, the weekly digest, and the alarm when it falls silent.

What a person wrote into the configuration is shown and left alone. What is changed here stands in a file of the page's
own in the state folder; what is secret is kept in the vault and never shown.
"""

from __future__ import annotations

from hashlib import sha256
from importlib.util import find_spec
from urllib.parse import urlsplit

from starlette.responses import Response

from jobs.alerting.channels import SmtpChannel
from jobs.alerting.heartbeat import WORKER_SECONDS
from jobs.alerting.outbox import TOPIC as OUTBOX
from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.locale_format import moment
from jobs.web.tasks.task_store import newest_of_kind
from jobs.web.tasks.tell_test import TELL_TEST
from jobs.web.tell_form import DAYS, TLS, WEEKLY, Filled, filled_by, filled_in, telling_in
from jobs.web.visit import Refused, Visit
from jobs.web.words import Said
from migrator.config import Config, Notify, Smtp
from migrator.config.secrets import Secret, TextSecret
from migrator.config.settings_file import settings_file
from migrator.config.vault import vault_of
from migrator.config.vault_secret import VaultSecret
from migrator.errors import ConfigError, FerryError
from migrator.lazy_dataclasses import dataclass, replace
from migrator.operations.change_account import Author, ConflictError
from migrator.operations.change_telling import (
    Proposal,
    save_telling,
    settings_text,
    with_alarm,
    with_telling,
)
from migrator.wiring.stored_accounts import load_instead


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is notified, by its number, and where its address is kept."""

    number: int
    kept: str


def show(visit: Visit) -> Response:
    """Show who hears of what."""
    return _page(visit, filled_by(visit.site.worker.config()))


def _page(visit: Visit, filled: Filled, code: int = 200, *, problem: str = "", is_unproven: bool = False) -> Response:
    config = visit.site.worker.config()
    notify = config.notify or Notify()
    with visit.site.ledger() as ledger:
        waiting = len(ledger.state_store.get_all(OUTBOX))
    return visit.page(
        "tell_me.html",
        code,
        notify=notify,
        has_channel=bool(notify.smtp or notify.apprise),
        may_change="notify" in config.changed_by_page,
        may_change_alarm="pings" in config.changed_by_page,
        services=[Service(number, _whence(secret, config)) for number, secret in enumerate(notify.apprise)],
        mail_password=_whence(notify.smtp.password, config) if notify.smtp and notify.smtp.password else "",
        silence_hours=round(notify.silence.total_seconds() / 3600),
        weekly=WEEKLY.fullmatch(notify.digest),
        pings=config.pings,
        alarm=_whence(config.pings.url, config) if config.pings and config.pings.url else "",
        every_minutes=int(WORKER_SECONDS // 60),
        waiting=waiting,
        test=newest_of_kind(visit.site.store, TELL_TEST.name),
        filled=filled,
        problem=problem,
        is_unproven=is_unproven,
        signature=_signature(config),
        days=DAYS,
        tls_words=TLS,
        has_apprise=find_spec("apprise") is not None,
        file=settings_file(config.state_dir),
        config_file=config.path,
    )


def _whence(secret: Secret, config: Config) -> str:
    """Say where a secret comes from, and of one that was typed here, when and by whom it was set."""
    if not isinstance(secret, VaultSecret):
        return secret.source
    try:
        entry = vault_of(config).entry(secret.name)
    except FerryError as error:
        return error.message
    if entry is None:
        return words.NOT_KEPT
    return words.SET_BY % {"moment": moment(entry.set_at), "user": entry.set_by}


def _signature(config: Config) -> str:
    return sha256(settings_text(config).encode()).hexdigest()


def save(visit: Visit) -> Response:
    """Save who hears of it, for the own password. A mail server that refuses the log-in is saved only if wished."""
    config, filled = visit.site.worker.config(), filled_in(visit)
    _check_own(config, "notify")
    if visit.field("seen") != _signature(config):
        return _conflict(visit)
    if problem := problem_of_own(visit):
        return _page(visit, filled, 422, problem=problem)
    try:
        proposal = with_telling(settings_text(config), telling_in(visit, filled), config)
        if not visit.field("anyway") and (trouble := _trouble(proposal, config)):
            return _page(visit, filled, 422, problem=trouble, is_unproven=True)
        return _saved(visit, proposal, config, "change whom to tell")
    except ConflictError:
        return _conflict(visit)
    except ConfigError as error:
        return _page(visit, filled, 422, problem=" ".join(error.problems))


def save_alarm(visit: Visit) -> Response:
    """Save the address that is pinged; an empty one keeps what is there. Wants one's own password again."""
    config = visit.site.worker.config()
    shown, url = filled_by(config), visit.field("url").strip()
    _check_own(config, "pings")
    if visit.field("seen") != _signature(config):
        return _conflict(visit)
    if problem := problem_of_own(visit):
        return _page(visit, shown, 422, problem=problem)
    if not visit.field("none") and not _is_web_address(url):
        return _page(visit, shown, 422, problem=words.NO_PING_ADDRESS)
    try:
        proposal = with_alarm(settings_text(config), "" if visit.field("none") else url, config)
        return _saved(visit, proposal, config, "change the silence alarm")
    except ConflictError:
        return _conflict(visit)
    except ConfigError as error:
        return _page(visit, shown, 422, problem=" ".join(error.problems))


def _check_own(config: Config, key: str) -> None:
    """Refuse to change what a person has written."""
    if config.path is None or key not in config.changed_by_page:
        raise Refused(409, words.WRITTEN_BY_HAND)


def _saved(visit: Visit, proposal: Proposal, config: Config, action: str) -> Response:
    save_telling(proposal, config, Author(visit.user.name, visit.site.clock()))
    visit.note(action)
    refusal = visit.site.worker.reload()
    if refusal:
        problem = f"{words.SAVED_NOT_IN_FORCE} {refusal}"
        return _page(visit, filled_by(visit.site.worker.config()), 200, problem=problem)
    return visit.go_to("/tell-me", Said.SAVED)


def _conflict(visit: Visit) -> Response:
    """Show what stands there now, where somebody has changed it meanwhile; nothing was written."""
    return _page(visit, filled_by(visit.site.worker.config()), 409, problem=words.CHANGED_MEANWHILE)


def _trouble(proposal: Proposal, config: Config) -> str:
    """Say why the mail server would take nothing: it is logged in to, and nothing is sent; empty where it would."""
    assert config.path is not None  # noqa: S101  # looked at before
    after = load_instead(config.path, settings_file(config.state_dir), proposal.text)
    smtp = after.notify.smtp if after.notify else None
    if smtp is None:
        return ""
    try:
        SmtpChannel(_with_typed(smtp, proposal)).probe()
    except FerryError as error:
        return str(error)
    return ""


def _with_typed(smtp: Smtp, proposal: Proposal) -> Smtp:
    """Return the mail server with the password that was typed, which is not in the vault yet."""
    secret = smtp.password
    typed = proposal.typed.get(secret.name) if isinstance(secret, VaultSecret) else None
    return smtp if typed is None else replace(smtp, password=TextSecret(typed))


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment


def send_test(visit: Visit) -> Response:
    """Ask for a test message to everybody who hears of it."""
    config = visit.site.worker.config()
    if config.notify is None or not (config.notify.smtp or config.notify.apprise):
        raise Refused(422, words.NOBODY_TOLD)
    visit.site.tasks.ask(TELL_TEST, "", visit.user.name)
    visit.note("send a test")
    return visit.go_to("/tell-me", Said.TEST_ASKED)
