"""Mail to give back: what was chosen is stored into a mailbox, each message once, and read again to prove it.

A password that was typed for it is in memory only, until the job begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing

from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.locale_format import number as in_digits, size
from jobs.web.tasks.chosen import Chosen
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.archive.restore import Grouping, Restored
from migrator.config import Config, Destination, ImapDestination, MboxDestination, S3Destination
from migrator.config.secrets import TextSecret
from migrator.config.urls import destination_from_url
from migrator.errors import ConfigError, FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.operations.restore import restore_messages
from migrator.wiring.account import destination_of, label_of

GROUPINGS = (Grouping.NONE, Grouping.ACCOUNT, Grouping.MONTH)
"""How what is given back may be spread over folders."""


@dataclass(frozen=True, slots=True)
class Restore:
    """What is to be given back, and where: to a mailbox by its URL, or to a configured destination by its identity.

    ``label`` is what a person calls it. The password of a URL stands nowhere in here.
    """

    chosen: Chosen
    grouping: Grouping
    label: str
    url: str = ""
    identity: str = ""

    def as_details(self) -> str:
        """Return what is written down of it."""
        place = {"label": self.label, "url": self.url, "identity": self.identity}
        return json.dumps({**self.chosen.as_details(), "by": self.grouping, **place})

    @classmethod
    def of(cls, task: Task) -> Restore:
        """Return what a task was asked for."""
        details = json.loads(task.details)
        place = {name: str(details[name]) for name in ("label", "url", "identity")}
        return cls(Chosen.of_details(details), Grouping(details["by"]), **place)


def places_to_restore(config: Config) -> Sequence[tuple[str, str]]:
    """Return the configured destinations that mail can be given back to: identity, and what a person calls each.

    An mbox archive is none: what is in it is read by every mail program as it stands.
    """
    found: dict[str, str] = {}
    for account in config.accounts:
        for place in account.destinations:
            if not isinstance(place, MboxDestination | S3Destination):
                found.setdefault(destination_of(place, config.state_dir).identity, label_of(place))
    return list(found.items())


def mailbox_of(url: str, password: str) -> ImapDestination:
    """Return the mailbox of a URL; raises ``ConfigError`` for one that is none, and for folders of this machine."""
    if not url.startswith(("imap://", "imaps://")):
        raise ConfigError([_("A mailbox is written like imaps://user@host/Folder.")])
    try:
        target = destination_from_url(url, passwords=lambda _end: TextSecret(password))
    except ConfigError as error:
        raise ConfigError([problem.removeprefix("--to: ") for problem in error.problems]) from error
    if not isinstance(target, ImapDestination):
        raise ConfigError([_("A mailbox is written like imaps://user@host/Folder.")])
    return target


def _restore(task: Task, hands: Hands) -> str:
    wanted, config = Restore.of(task), hands.config
    target = _target(wanted, config, hands.secret)
    with closing(Ledger.open(config.ledger_place)) as ledger:
        digests = wanted.chosen.wanted(config, ledger)
        total = wanted.chosen.count(digests, config, ledger)

        def on_progress(count: int) -> None:
            hands.went_on(count, None if total is None else max(total, count))

        accounts = wanted.chosen.accounts(config)
        done = restore_messages(
            target,
            wanted.grouping,
            accounts,
            config,
            ledger,
            wanted=digests,
            clock=hands.clock,
            on_progress=on_progress,
        )
    return _in_words(done)


def _target(wanted: Restore, config: Config, secret: str) -> Destination:
    if wanted.url:
        if not secret:
            said = _("the password that was typed for it was in memory only, and is gone since a restart: ask again")
            raise FerryError(Kind.REFUSED, said)
        return mailbox_of(wanted.url, secret)
    for account in config.accounts:
        for place in account.destinations:
            if destination_of(place, config.state_dir).identity == wanted.identity:
                return place
    raise FerryError(Kind.REFUSED, _("%(place)s is not set up any more") % {"place": wanted.label})


def _in_words(done: Restored) -> str:
    """Say what was done; raises ``FerryError`` where not all of it was, with the same sentence."""
    if not done.stored + done.present + len(done.failed):
        raise FerryError(Kind.REFUSED, _("no message was found to give back"))
    parts = [*_stored(done), *_there(done)]
    for name, folder in done.renamed:
        parts.append(_("the folder of %(name)s is called %(folder)s") % {"name": name, "folder": folder})
    if not done.failed:
        return f"{'; '.join(parts)}."
    number, why = len(done.failed), done.failed[0][1]
    failed = ngettext(
        "%(number)s message could not be given back: %(why)s",
        "%(number)s messages could not be given back, such as: %(why)s",
        number,
    )
    parts.append(failed % {"number": in_digits(number), "why": why})
    raise FerryError(why.kind, f"{'; '.join(parts)}.")


def _stored(done: Restored) -> Iterator[str]:
    if done.stored:
        said = ngettext(
            "%(number)s message was given back (%(size)s) and read again to prove it",
            "%(number)s messages were given back (%(size)s) and read again to prove it",
            done.stored,
        )
        yield said % {"number": in_digits(done.stored), "size": size(done.octets)}


def _there(done: Restored) -> Iterator[str]:
    if done.present:
        said = ngettext("%(number)s message was there already", "%(number)s messages were there already", done.present)
        yield said % {"number": in_digits(done.present)}


def _described(task: Task) -> str:
    wanted = Restore.of(task)
    what = wanted.chosen.in_words() or _("everything")
    return _("%(what)s, to %(place)s") % {"what": what, "place": wanted.label}


RESTORE = TaskKind("restore", gettext_lazy("Give mail back"), _restore, _described)
