"""What somebody did, in words: the audit keeps codes, and is the same in every language."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from jobs.web.engine_words import engine_words
from jobs.web.language import gettext_lazy as _

ACTIONS: Mapping[str, str] = {
    "accept": _("said that messages are fine"),
    "add mailbox": _("added a mailbox"),
    "add user": _("added a user"),
    "back up settings": _("backed up the settings"),
    "cancel job": _("cancelled a job"),
    "change mailbox": _("changed a mailbox"),
    "change user": _("changed a user"),
    "change password": _("changed the own password"),
    "clock": _("said that the clock is right"),
    "delete the rest at the provider": _("had what was left at the provider deleted"),
    "examine": _("asked for a thorough look"),
    "export audit": _("saved this list"),
    "export messages": _("asked for messages as a file"),
    "export receipts": _("saved the list of deletions"),
    "give mail back": _("gave mail back"),
    "passkey added": _("added a passkey"),
    "passkey removed": _("removed a passkey"),
    "passkey renamed": _("renamed a passkey"),
    "passkey sign-in": _("signed in with a passkey"),
    "passkeys taken away": _("took the passkeys of a user away"),
    "password for once": _("made a password for once"),
    "password again": _("gave the own password again"),
    "identity connected": _("connected an account at the sign-in provider"),
    "identity disconnected": _("disconnected an account at the sign-in provider"),
    "invitation made": _("made a link to connect an account"),
    "openid sign-in": _("signed in at the sign-in provider"),
    "shown again": _("showed again who it is"),
    "pause": _("paused a mailbox"),
    "read-message": _("read a message"),
    "recovery key made": _("made a recovery key"),
    "recovery code used": _("signed in with a recovery code"),
    "reindex": _("had the search index made again"),
    "remove user": _("removed a user"),
    "repair": _("had copies stored again"),
    "resume": _("resumed a mailbox"),
    "retry": _("had messages tried again"),
    "run": _("asked for a run"),
    "save file of job": _("saved the file of a job"),
    "save-attachment": _("saved an attachment"),
    "save-message": _("saved a message"),
    "second factor off": _("switched the second factor off"),
    "second factor on": _("switched the second factor on"),
    "second factor taken away": _("switched the second factor of a user off"),
    "send a test": _("sent a test message"),
    "sign in at provider": _("signed in at a provider"),
    "set-up": _("became the first administrator"),
    "sign-in": _("signed in"),
    "sign out everywhere": _("signed a user out everywhere"),
    "sign-out": _("signed out"),
    "stop": _("stopped a run"),
    "token ended": _("ended a token"),
    "token made": _("made a token"),
    "verify": _("asked for a verification"),
}

OUTCOMES: Mapping[str, str] = {
    "done": _("done"),
    "refused": _("refused"),
    "was not running": _("was not running"),
    "was over": _("was over already"),
    "wrong code": _("wrong code"),
    "administrator": _("Administrator: sees and does everything"),
    "auditor": _("Auditor: sees everything and changes nothing"),
    "reader": _("Reader: sees the mailboxes that are ticked, and changes nothing"),
}


def audit_words(code: str) -> Markup:
    """Return an action or an outcome in words; one that is not known as it stands."""
    return engine_words(ACTIONS.get(code) or OUTCOMES.get(code) or code)
