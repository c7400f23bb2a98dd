"""Reading every stored copy again, of one account or of all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from jobs.monitoring.stored_view import places_of
from jobs.web.language import gettext as _, gettext_lazy, ngettext
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.config import Account, Config
from migrator.ledger import Ledger
from migrator.operations.verify import verify_archive


def _verify(task: Task, hands: Hands) -> str:
    config = hands.config
    accounts = config.select([task.subject] if task.subject else [])
    with closing(Ledger.open(config.ledger_place)) as ledger:
        total = _copies(accounts, config, ledger)

        def on_read(copies: int, _octets: int) -> None:
            hands.went_on(copies, None if total is None else max(total, copies))

        found = verify_archive(accounts, config, ledger, clock=hands.clock, on_read=on_read)
    checked, damaged = found.verification.checked, len(found.verification.damaged)
    read = ngettext("%(number)d copy was read again", "%(number)d copies were read again", checked)
    said = read % {"number": checked}
    if damaged:
        harm = ngettext("%(number)d is damaged", "%(number)d are damaged", damaged) % {"number": damaged}
        return f"{said}: {harm}."
    if not found.is_ok:
        return _("%(read)s; not everything could be read.") % {"read": said}
    return _("%(read)s: all is as it should be.") % {"read": said}


def _copies(accounts: Sequence[Account], config: Config, ledger: Ledger) -> int | None:
    """Return how many copies there are to read, None where accounts share a folder and nobody knows whose is which."""
    places, chosen = places_of(config), {account.name for account in accounts}
    own = {identity for name in chosen for identity in places[name]}
    others = {identity for name, identities in places.items() if name not in chosen for identity in identities}
    if own & others:
        return None
    holdings = ledger.archive.holdings(own)
    return sum(holdings.get(identity, (0, 0))[0] for identity in own)


VERIFY = TaskKind("verify", gettext_lazy("Read every copy again"), _verify)
