"""The one button of a finding: what the page does about it, or why only the machine can. Pure.

A finding that is not here as a ``Way`` stands in ``ON_THE_MACHINE`` or ``NOTHING_TO_DO`` with the reason; each kind of
the catalogue stands in exactly one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from urllib.parse import quote, urlencode

from jobs.web.language import gettext_lazy as _
from migrator.errors import Kind
from migrator.findings.catalogue import BY_ID
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass
from migrator.policy import GONE


class Act(StrEnum):
    """What is done about some accounts when a button is pressed; the code is a field of its form."""

    RUN = "run"
    RESUME = "resume"
    VERIFY = "verify"
    REPAIR = "repair"
    REINDEX = "reindex"
    CLOCK = "clock"
    """Say that the clock is right, and run."""


class Page(StrEnum):
    """Where it is decided what to do."""

    NEEDS_A_LOOK = "/needs-a-look"
    TELL_ME = "/tell-me"
    SETTINGS = "/accounts/…/settings"
    """Those of the one account that a finding is about."""
    SIGN_IN = "/accounts/…/sign-in"
    """At the provider of the one account that a finding is about."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a finding's button does, and what it says beside it. ``kind`` narrows the page that it leads to."""

    does: Act | Page
    says: str
    kind: str = ""


WAYS: Mapping[str, Way] = {
    "mailbox-missing": Way(Act.RUN, _("Once the mailbox is there again, try again.")),
    "not-everywhere": Way(Act.RUN, _("A run copies what is missing there, and names what it cannot copy.")),
    "quota-full": Way(Act.RUN, _("Once there is room in that mailbox, try again.")),
    "clock-jump": Way(
        Act.CLOCK, _("Compare the clock of this machine, shown here, with yours. If it is right, say so.")
    ),
    "auth-refused": Way(
        Page.SETTINGS, _("Give it the password that its provider takes; that is noticed, and tried, by itself.")
    ),
    "sign-in-needed": Way(Page.SIGN_IN, _("Sign in at its provider; that is noticed, and tried, by itself.")),
    "sign-in-ending": Way(Page.SIGN_IN, _("Sign in at its provider once more, before it ends.")),
    "secret-missing": Way(Page.SETTINGS, _("Give it its password again; that is noticed, and tried, by itself.")),
    "host-unknown": Way(Act.RUN, _("Once that is put right, try again.")),
    "host-unreachable": Way(
        Act.RUN, _("It is tried again by itself, and less and less often; this tries again at once.")
    ),
    "wrong-service": Way(Act.RUN, _("Once that is put right, try again.")),
    "wrong-tls": Way(Act.RUN, _("Once that is put right, try again.")),
    "certificate": Way(Act.RUN, _("Once that is put right, try again.")),
    "refused": Way(Act.RUN, _("Read what the server says; once that is settled, try again.")),
    "internal-error": Way(
        Act.RUN, _("This is a defect of mailferry: please report it. No mail is lost by it. It is safe to try again.")
    ),
    "stale": Way(Act.RUN, _("See what a run meets now.")),
    "state-older": Way(Act.RUN, _("A run recognises what is there, and stores nothing twice.")),
    "never-run": Way(Act.RUN, _("Its first run comes by itself; this begins it now.")),
    "unproven-copies": Way(
        Page.NEEDS_A_LOOK, _("See what the server changed, and say whether that is fine."), str(Kind.UNPROVEN)
    ),
    "copies-gone": Way(Page.NEEDS_A_LOOK, _("If they were taken out on purpose, say that this is fine."), GONE),
    "message-refused": Way(Page.NEEDS_A_LOOK, _("See which messages they are: try again, or leave them as they are.")),
    "notify-dead": Way(Page.TELL_ME, _("Correct the way to you, and try it.")),
    "nobody-told": Way(Page.TELL_ME, _("Say who is to hear of it when something goes wrong.")),
    "never-verified": Way(Act.VERIFY, _("Every stored copy is read again and compared; that may take a while.")),
    "archive-changed": Way(
        Act.REPAIR,
        _(
            "Put the file back as it was, and nothing else is needed. If it is lost for good, its messages are stored"
            " again from wherever they still are."
        ),
    ),
    "archive-damaged": Way(
        Act.REPAIR,
        _("Look at the disk that it is on. Then have the messages stored again from wherever they still are."),
    ),
    "index-damaged": Way(Act.REINDEX, _("The search index is made again from the archive; no mail depends on it.")),
    "paused": Way(Act.RESUME, _("Nothing is fetched or deleted until it is resumed.")),
}
"""What the page can do, by the kind of the finding."""

OF_ALL: frozenset[Act | Page] = frozenset({Act.REINDEX, Page.TELL_ME})
"""What is done for the whole installation."""

LABELS: Mapping[Act | Page, str] = {
    Act.RUN: _("Run now"),
    Act.RESUME: _("Resume"),
    Act.VERIFY: _("Verify now"),
    Act.REPAIR: _("Store them again"),
    Act.REINDEX: _("Make the index again"),
    Act.CLOCK: _("The clock is right"),
    Page.NEEDS_A_LOOK: _("Look at them"),
    Page.TELL_ME: _("Say whom to tell"),
    Page.SETTINGS: _("Change its password"),
    Page.SIGN_IN: _("Sign in at the provider"),
}
"""What stands on the button."""

OF_ONE: Mapping[Act | Page, str] = {Page.SETTINGS: "settings", Page.SIGN_IN: "sign-in"}
"""Pages of one account."""

ON_THE_MACHINE: Mapping[str, str] = {
    "ledger-damaged": "the ledger can only be made again while the worker does not run",
    "ledger-newer": "another version of the program has to be installed",
    "ledger-away": "a database is started and mended where it is",
    "ledger-settings": "a database is set where it is",
    "state-read-only": "the rights of a folder are its owner's to give",
    "state-on-network": "state_dir is read at start only, and has to be moved while the worker does not run",
    "worker-dead": "a worker that is dead serves no page; one that is not well has to be started again",
    "archive-missing": "a disk has to be mounted, or a folder brought back",
    "bucket-missing": "a bucket is made, or brought back, where it is kept",
    "clock-skew": "the clock of a machine is its owner's to set",
    "archive-read-only": "the rights of a folder are its owner's to give",
    "disk-full": "a person must make room",
    "disk-low": "a person must make room",
    "account-row": "the row stands in somebody's table of accounts",
    "configuration-refused": "a file that a person wrote has to be corrected, and is read again by itself",
    "package-missing": "a package is installed by who runs the machine",
    "listen-taken": "the other program has to be stopped, or the configuration changed",
    "archive-inside-state": "the folder has to be moved",
    "archive-unknown": "the ledger can only be made again while the worker does not run",
    "secret-exposed": "the rights of a file are its owner's to give",
    "config-exposed": "the rights of a file are its owner's to give",
    "same-maildrop": "a person must say which of the accounts is meant",
    "vault-key-nearby": "a file has to be moved to where no backup takes it along",
}
"""Why only somebody at the machine can help."""

NOTHING_TO_DO: Mapping[str, str] = {
    "no-versions": "it is the owner's choice how a bucket keeps what is deleted",
    "limited": "it ends by itself",
    "message-too-large": "the account's own rule leaves them",
    "file-system": "it says what cannot be promised",
    "provider-deletes": "it says what the server does",
    "no-unique-ids": "it says what the server does",
}
"""Why there is nothing to press."""


@dataclass(frozen=True, slots=True)
class Button:
    """What is shown: a form for ``act`` on ``accounts``, or a link to ``href``."""

    label: str
    says: str
    act: Act | None = None
    accounts: tuple[str, ...] = ()
    href: str = ""
    is_advised: bool = False
    """Whether the finding knows more of its cure than its kind, so that those words are to be read as well."""


def button_of(finding: Finding, beside: Sequence[Finding] = ()) -> Button | None:
    """Return the button of a finding, None where only the machine can help. ``beside`` is what is found with it.

    To run what is paused would be in vain: there the button resumes it.
    """
    way = WAYS.get(finding.id)
    if way is None or not (finding.accounts or way.does in OF_ALL):
        return None
    if way.does in OF_ONE and not finding.account:
        return None
    if way.does is Act.RUN and paused_in(beside).issuperset(finding.accounts):
        way = WAYS["paused"]
    is_advised = finding.cure.text != BY_ID[finding.id].cure
    label, says = LABELS[way.does], way.says
    match way.does:
        case Page():
            return Button(label, says, href=_address(way, finding), is_advised=is_advised)
        case act:
            return Button(label, says, act, finding.accounts, is_advised=is_advised)


def paused_in(findings: Sequence[Finding]) -> frozenset[str]:
    """Return the accounts that are paused, by what was found."""
    return frozenset(name for one in findings if one.id == "paused" for name in one.accounts)


def _address(way: Way, finding: Finding) -> str:
    if way.does in OF_ONE:
        return f"/accounts/{quote(finding.account or '', safe='@')}/{OF_ONE[way.does]}"
    asked = {"account": finding.account or "", "kind": way.kind}
    chosen = {name: value for name, value in asked.items() if value}
    return f"{way.does}?{urlencode(chosen)}" if chosen else str(way.does)
