"""What the page says outside its templates, in one place.

``_`` marks a sentence, and each is translated when it is shown: what stands here was made before anybody asked.
"""

from __future__ import annotations

from enum import StrEnum

from jobs.web.language import gettext_lazy as _


class Said(StrEnum):
    """What a page says after a form was sent: the code stands in the address, so that nothing else can be said."""

    RUN_ASKED = "run-asked"
    STOP_ASKED = "stop-asked"
    NOT_WORKED = "not-worked"
    RUNS_ASKED = "runs-asked"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETRIED = "retried"
    ACCEPTED = "accepted"
    USER_ADDED = "user-added"
    USER_REMOVED = "user-removed"
    USER_CHANGED = "user-changed"
    PASSWORD_GIVEN = "password-given"  # noqa: S105  # a code
    SESSIONS_ENDED = "sessions-ended"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # a code
    SIGNED_OUT = "signed-out"
    TASK_ASKED = "task-asked"
    TASK_CANCELLED = "task-cancelled"
    TASK_OVER = "task-over"
    ADDED = "added"
    TRIED = "tried"
    WELCOME = "welcome"
    SAVED = "saved"
    TEST_ASKED = "test-asked"
    NOT_IN_FORCE = "not-in-force"
    LANGUAGE_CHOSEN = "language-chosen"
    FACTOR_ON = "second-factor-on"
    FACTOR_OFF = "second-factor-off"
    IDENTITY_CONNECTED = "identity-connected"
    IDENTITY_DISCONNECTED = "identity-disconnected"
    INVITATION_MADE = "invitation-made"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_RENAMED = "passkey-renamed"
    PASSKEY_REMOVED = "passkey-removed"
    TOKEN_MADE = "token-made"  # noqa: S105  # a code
    TOKEN_ENDED = "token-ended"  # noqa: S105  # a code
    RECOVERY_MADE = "recovery-made"


NOTICES = {
    Said.RUN_ASKED: _("A run of the mailbox begins as soon as a place is free."),
    Said.STOP_ASKED: _(
        "It stops behind the message that it is at. What is done stays done; the rest comes with the next run."
    ),
    Said.NOT_WORKED: _("No run was going on any more, so there was nothing to stop."),
    Said.RUNS_ASKED: _("A run of each mailbox begins as soon as a place is free."),
    Said.PAUSED: _("Paused. Nothing is fetched or deleted until you resume it."),
    Said.RESUMED: _("Resumed. The next run begins within seconds."),
    Said.RETRIED: _("The next run tries again; it begins as soon as a place is free, unless the mailbox is paused."),
    Said.ACCEPTED: _("Accepted as it is: it will not be reported any more."),
    Said.USER_ADDED: _("The user was added."),
    Said.USER_REMOVED: _("The user was removed and is signed out everywhere."),
    Said.USER_CHANGED: _("The user was changed. That holds at once."),
    Said.PASSWORD_GIVEN: _("The user has another password, which stands below and is shown only now."),
    Said.SESSIONS_ENDED: _("The user is signed out everywhere."),
    Said.PASSWORD_CHANGED: _("The password was changed; all other sessions of the user have ended."),
    Said.TASK_ASKED: _("It is in the queue. You may close this page: it goes on, and the result stands here."),
    Said.TASK_CANCELLED: _("It is being cancelled. What it has finished stays finished."),
    Said.TASK_OVER: _("It was over already."),
    Said.ADDED: _("The mailbox was added, and its first message is proven. The others follow within seconds."),
    Said.NOT_IN_FORCE: _(
        "It is saved, but not in force: something else in the configuration is wrong. See under Care what that is."
    ),
    Said.TEST_ASKED: _("A test message is on its way. What became of it stands below in a moment."),
    Said.WELCOME: _("Welcome. You are the first administrator. What is missing now is a mailbox."),
    Said.SAVED: _("Saved. mailferry goes by it from now on."),
    Said.TRIED: _(
        "The mailbox was added, and the first ten messages are copied and proven. Look at them, then press Resume: "
        "that fetches the others."
    ),
    Said.LANGUAGE_CHOSEN: _("From now on these pages speak your language."),
    Said.FACTOR_ON: _("The second factor is on; all your other sessions have ended."),
    Said.FACTOR_OFF: _("The second factor is off."),
    Said.IDENTITY_CONNECTED: _("The account was connected: from now on it signs you in here."),
    Said.IDENTITY_DISCONNECTED: _("The account was disconnected: it signs nobody in here any more."),
    Said.INVITATION_MADE: _("The link stands below and is shown only now."),
    Said.PASSKEY_ADDED: _("The passkey was added: from now on it signs you in, without password and code."),
    Said.PASSKEY_RENAMED: _("The passkey has another name."),
    Said.PASSKEY_REMOVED: _("The passkey was removed: it signs nobody in any more."),
    Said.SIGNED_OUT: _("You are signed out."),
    Said.TOKEN_MADE: _("The token was made."),
    Said.RECOVERY_MADE: _("The recovery key was made. An earlier one opens nothing any more."),
    Said.TOKEN_ENDED: _("The token was ended: it is not accepted any more."),
}


def notice(code: str | None) -> str:
    """Return what a code says; empty for none, or for one that somebody made up."""
    try:
        return str(NOTICES[Said(code)]) if code else ""
    except ValueError:
        return ""


NOT_FOUND = _("There is nothing at this address, or it is not yours to see.")
NOT_ALLOWED = _("Your role does not allow that; ask an administrator.")
FORM_REFUSED = _("This form is too old, or did not come from this page. Nothing was done: open the page and try again.")
TOO_MANY = _("Too many attempts. Wait a little and try again.")
TOO_LARGE = _("That is more than this page takes.")
NOT_READ = _("What was sent could not be read.")
NOT_THIS_WAY = _("This address does not take such a request.")
BROKEN = _("The page could not be made. What happened is in mailferry's log.")
WRONG_SIGN_IN = _("That name and password do not belong together.")
WRONG_TOKEN = _("That is not the token that mailferry printed when it started.")
TOKEN_OVER = _("The token was valid for a day. Restart mailferry: it prints another one.")
NAME_TAKEN = _("That name is taken.")
LAST_ADMINISTRATOR = _("That is the last administrator, who has to stay one.")
NOT_YOURSELF = _("You cannot do that to yourself; ask another administrator.")
SAME_AS_BEFORE = _("That is the password you have. Choose another one.")
ONCE_OVER = _("That password was given for once, and its time is over. Ask an administrator for another one.")
NOT_THE_SAME = _("The two passwords are not the same.")
UNKNOWN_ROLE = _("Choose what the user may do.")
NO_ACCOUNTS = _("A reader sees the mailboxes that are ticked: tick at least one.")
UNKNOWN_SCOPE = _("Choose what the token may do.")
NOTHING_TICKED = _("No message was ticked. Nothing was done.")
NO_DAY = _("A day is written like 2026-05-31.")
OWN_WANTED = _("Give your own password too: it is asked for again before this. Nothing was changed so far.")
WRONG_OWN = _("Your own password was not right. Nothing was changed.")
WRONG_CODE = _("That code is wrong, or was used before. Take the next one.")
WRONG_PASSKEY = _("That passkey signs nobody in here, or it took too long. Try again, or give name and password.")
PASSKEY_NOT_MADE = _("The passkey was not kept: what the browser sent did not fit, or it took too long. Try again.")
TOO_MANY_PASSKEYS = _("You have as many passkeys as one user may have. Remove one first.")
OPENID_AWAY = _("%(name)s does not answer as it should. Try again later, or sign in with your password.")
OPENID_FAILED = _("The sign-in with %(name)s did not work. What happened is in mailferry's log.")
OPENID_NOT_ALLOWED = _("The sign-in was cancelled or not allowed at %(name)s.")
OPENID_OVER = _("That sign-in took too long, was used before, or was begun in another browser. Begin again.")
OPENID_NOBODY = _(
    "Your account at %(name)s is connected with nobody here. Ask an administrator for a link that connects it, or sign "
    "in with your password and connect it yourself."
)
OPENID_TAKEN = _("That account at %(name)s is connected with another user.")
OPENID_NOT_YOURS = _("That account at %(name)s is not the one that is connected with you.")
OPENID_LONG_AGO = _("%(name)s does not say that you have just signed in there. Give your password instead.")
INVITATION_USED = _(
    "That link was used before, its time is over, or the account at %(name)s is another user's. Ask for another link."
)
TICKET_OVER = _("That took too long. Begin again with name and password.")
ONE_AT_A_TIME = _("Another mailbox is being added just now. Try again in a minute.")
NOT_LEFT_YET = _("Something changed meanwhile, and nothing was deleted. Look at the list again.")
WRONG_NUMBER = _("That is not the number of messages. Nothing was deleted.")
NO_BACKUP = _("Each message is kept in one place only: say that there is a backup. Nothing was deleted.")
NO_PLACE = _("Choose the mailbox that the mail goes to.")
MAILBOX_MISSING = _("Write the server of the mailbox, the name to log in with, and the folder.")
NO_PASSWORD = _("The password is missing.")
NO_FILE = _("mailferry runs without a configuration file, so nothing can be added here.")
MAILBOX_TAKEN = _("There is a mailbox of that name already: choose another one.")
NOT_ABSOLUTE = _("Write the folder in full, from the root, such as /srv/mail/anna.")
NO_WISH = _("Choose what is to happen at the provider.")
NO_DAYS = _("Write after how many days, as a number such as 30.")
NO_PASSWORD_OF_PLACE = _("The password of the mailbox that the mail is copied to is missing.")
NO_DESTINATION = _("Its mail must go somewhere: name a folder, or another mailbox.")
NOT_OURS = _("These settings are not changed here. Open the page again: it says where they stand.")
NOTHING_CHANGED = _("Nothing was changed in the form, so there is nothing to save.")
CHANGE_OVER = _("That took more than half an hour, and nothing was saved. Here is what holds now.")
SAVED_NOT_IN_FORCE = _("It is saved, but mailferry goes on as before, since something is wrong with the configuration:")
TRIED_TOO_LATE = _("That took more than half an hour, and nothing was saved. Begin again with the address.")
NO_PORT = _("A port is a number, usually 995 with TLS and 110 without.")


WRITTEN_BY_HAND = _("A person wrote that into the configuration. Change it there.")
CHANGED_MEANWHILE = _("Somebody has changed this meanwhile. Nothing was saved: below is what is in force now.")
NO_ADDRESS = _("Give the address to write from, and at least one to write to, such as anna@example.org.")
NO_MAIL_PORT = _("A port is a number, usually 587 or 465.")
NO_DIGEST_TIME = _("Choose a day and an hour between 0 and 23 for the weekly digest.")
NO_PATIENCE = _("Give the failed runs as a number from 1 to 100, and the hours as one from 1 to 2160.")
NO_PING_ADDRESS = _("Give the address that is to be called, beginning with https://, without a “?” or “#”.")
NOBODY_TOLD = _("There is nobody to tell yet: nothing can be tried.")
NOT_KEPT = _("not there any more: give it again")
SET_BY = _("set on %(moment)s by %(user)s")


def sentence(message: str) -> str:
    """Return an error's words as a sentence."""
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."
