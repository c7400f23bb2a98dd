"""Every finding that can be: its severity, what it means, its words. Pure data.

The order is that of importance. docs/errors.md is printed from here. ``{names}`` are filled in by the rules.
"""

from __future__ import annotations

from migrator.findings.hints import HINTS, Entry
from migrator.findings.model import Severity

BROKEN, SOON = Severity.BROKEN, Severity.SOON


_SERVER = "the server said so itself; its words stand in the text"

ENTRIES = (
    Entry(
        "ledger-damaged",
        BROKEN,
        "The database in which everything is remembered cannot be trusted or read.",
        "{problem}",
        "stop the worker, then run rebuild-ledger: it sets the ledger in {state_dir} aside and reads the archive",
    ),
    Entry(
        "ledger-newer",
        BROKEN,
        "A newer mailferry has written the ledger. Nothing is wrong with it.",
        "{problem}",
        "install the newer mailferry again",
    ),
    Entry(
        "ledger-away",
        BROKEN,
        "The database that holds the ledger does not answer or lets nobody in, so no mail is moved.",
        "{problem}",
        "start the database, or mend its address, role or password; then everything goes on by itself",
    ),
    Entry(
        "state-read-only",
        BROKEN,
        "The state folder cannot be written, so nothing can be remembered and no mail is moved.",
        "{problem}",
        "let the user that mailferry runs as write there, or mount it for writing",
    ),
    Entry(
        "worker-dead",
        BROKEN,
        "`mailferry run` has worked here and was not stopped, and no process does now; or the one that does hangs.",
        "{problem}",
        "start it again (systemctl start mailferry, or mailferry run) and look at its log (journalctl -u mailferry); "
        "if it is not wanted any more, delete {file}",
    ),
    Entry(
        "archive-missing",
        BROKEN,
        "Nothing of what is known to stand in an archive folder is there: as if its disk was not mounted.",
        "{label} not there, and {messages} known to be in {it}",
        "mount its disk, or bring the folder back; nothing else is needed. If it is lost for good, create the folder, "
        "empty, and run repair, which stores again what can still be found",
    ),
    Entry(
        "mailbox-missing",
        BROKEN,
        "A mailbox is gone as a whole, or most of what was stored in it is.",
        "{problem}",
        'bring the mailbox back; or, if it was emptied on purpose, set when_copy_is_gone to "accept" or "restore"',
    ),
    Entry(
        "bucket-missing",
        BROKEN,
        "The bucket of an archive in an object store is gone, or all that is known to stand in it is.",
        "{problem}",
        "bring back the bucket, or what stood in it (a bucket that keeps versions still has it), or correct bucket, "
        "prefix and endpoint in the configuration; if it is lost for good, make the bucket and run repair",
    ),
    Entry(
        "clock-skew",
        BROKEN,
        "The clock of this machine differs so much from that of an object store that it takes no request.",
        "{problem}",
        "set the clock of this machine (timedatectl set-ntp true)",
    ),
    Entry(
        "archive-changed",
        BROKEN,
        "A file of an archive is missing, shorter, or not what it was. Nothing is written to it until that is decided.",
        "{label}: {problem}",
        "bring the file back as it was, which is all that is needed then; if it is lost for good, repair stores again "
        "what stood in it",
    ),
    Entry(
        "archive-damaged",
        BROKEN,
        "Copies that were proven once differ now from what was retrieved, or cannot be read.",
        "{copies} in {label} damaged",
        "look at the storage it is on, then run repair, which stores them again from where they can still be found",
    ),
    Entry(
        "archive-read-only",
        BROKEN,
        "An archive folder is there and cannot be written.",
        "{label} cannot be written",
        "let the user that mailferry runs as write there, or mount it for writing",
    ),
    Entry(
        "not-everywhere",
        BROKEN,
        "Messages of an account stand in one of its destinations and could not be copied to another.",
        "{messages} not in {label}, though another destination of the account holds {them}",
        "run migrate, which copies them; what it cannot copy it names",
    ),
    Entry(
        "disk-full",
        BROKEN,
        "A disk that is written to has no room for more mail.",
        "only {free} of {total} are free on the disk of {path}",
        "make room, or move the archive to a larger disk",
    ),
    Entry(
        "quota-full",
        BROKEN,
        "A mailbox has no room for more mail.",
        "{problem}",
        "make room in the mailbox, or have its quota raised",
    ),
    Entry(
        "clock-jump",
        BROKEN,
        "The clock of this machine has jumped or was never set, so nothing is deleted by its age.",
        "{problem}",
        "set the clock (timedatectl set-ntp true), then run migrate once, by which you say that it is right",
    ),
    Entry(
        "auth-refused",
        BROKEN,
        "A server refuses the username or the password.",
        "{problem}",
        "correct the password where the configuration takes it from, then run check",
    ),
    Entry(
        "sign-in-needed",
        BROKEN,
        "An account logs in with access tokens, and its provider issues none before a person has signed in.",
        "{problem}",
        "sign in at the provider",
    ),
    Entry(
        "secret-missing",
        BROKEN,
        "A password is not where the configuration says that it is.",
        "{problem}",
        "put the password where the configuration says it is, or correct the configuration",
    ),
    Entry(
        "account-row",
        BROKEN,
        "A row of the accounts_file, or of the database, is no account; the others are worked.",
        "{problem}",
        "correct the row",
    ),
    Entry(
        "host-unknown",
        BROKEN,
        "The name of a server is not known.",
        "{problem}",
        "check the spelling of host in the configuration",
    ),
    Entry(
        "host-unreachable",
        BROKEN,
        "A server does not answer, or the line breaks again and again.",
        "{problem}",
        "see whether the server is up and can be reached from here, then run check",
    ),
    Entry(
        "wrong-service",
        BROKEN,
        "Something other than the expected service answers on that port.",
        "{problem}",
        "check host and port: POP3 is 995 (or 110), IMAP 993 (or 143)",
    ),
    Entry(
        "wrong-tls",
        BROKEN,
        "The port wants another way of encryption than the configuration says.",
        "{problem}",
        'check port and tls: "implicit" goes with 995 and 993, "starttls" with 110 and 143',
    ),
    Entry(
        "certificate",
        BROKEN,
        "The server's certificate is not trusted.",
        "{problem}",
        "correct the host name, or set ca_file or fingerprint if this certificate is the right one",
    ),
    Entry(
        "refused",
        BROKEN,
        f"A server refuses to do what is needed: {_SERVER}.",
        "{problem}",
        "read what the server says, then run check",
    ),
    Entry(
        "internal-error",
        BROKEN,
        "A defect of mailferry itself. Nothing is deleted on the strength of it.",
        "{problem}",
        "report it, with what the command prints with -v",
    ),
    Entry(
        "stale",
        BROKEN,
        "No run of an account has ended well for too long.",
        "no run has ended well {since_when}",
        "run migrate and read what it says",
    ),
    Entry(
        "configuration-refused",
        BROKEN,
        "The configuration was changed while the worker runs, and is wrong; it goes on with the one before.",
        "the changed configuration is invalid and not in force: {problem}",
        "correct the file; it is read again by itself",
    ),
    Entry(
        "ledger-settings",
        SOON,
        "The database that holds the ledger is set in a way in which a promise may not hold.",
        "{problem}",
        "let those who look after the database set it as docs/fleet.md says",
    ),
    Entry(
        "listen-taken",
        SOON,
        "The address on which the worker is to answer belongs to another program.",
        "{problem}",
        "stop the other program, or name another address under listen",
    ),
    Entry(
        "package-missing",
        SOON,
        "A package that the configuration asks for is not installed.",
        "{problem}",
        "install it beside mailferry, and start the worker again",
    ),
    Entry(
        "archive-inside-state",
        SOON,
        "An archive lies in the state folder: clearing the one loses the other.",
        "{label} lies inside state_dir",
        "move it out, and run moved with both places; then correct path",
    ),
    Entry(
        "archive-unknown",
        SOON,
        "There is mail in an archive folder that the ledger does not know: another archive, or a moved one.",
        "{label} holds {what} that the ledger does not know",
        "run rebuild-ledger, which reads it; or take it away, if it does not belong there",
    ),
    Entry(
        "state-older",
        SOON,
        "The archive knows more than the ledger: an older state folder was put back.",
        "the ledger is older than {label}: {what} not known to it",
        "run migrate, which recognises what is there and stores nothing twice",
    ),
    Entry(
        "unproven-copies",
        SOON,
        "A server changed what was stored there. The copies are whole as far as the wanted proof can tell, and nothing "
        "is deleted for them.",
        "{messages} in {label} altered by the server{how}",
        "accept what the server does by a lower proof, or accept these messages with quarantine --accept",
    ),
    Entry(
        "copies-gone",
        SOON,
        "A person took proven copies out of a destination; the source keeps its messages until that is decided.",
        "{messages} gone from {label}, where {it_was} proven",
        "say what that means: when_copy_is_gone, or quarantine --accept for these messages",
    ),
    Entry(
        "message-refused",
        SOON,
        "Messages that could not be copied are set aside; the others are copied all the same.",
        "{messages} set aside: {problem}",
        "see quarantine: --retry tries again, --accept leaves them at the source for good",
    ),
    Entry(
        "limited",
        SOON,
        "A server asks to be left alone for a while: the mailbox is in use, or there were too many log-ins.",
        "{problem}",
        "wait; it ends by itself. If it lasts, let nobody else fetch from this mailbox, or raise every",
    ),
    Entry(
        "disk-low",
        SOON,
        "A disk will be full soon.",
        "{free} are free on the disk of {path}{how_long}",
        "make room, or plan for a larger disk",
    ),
    Entry(
        "sign-in-ending",
        SOON,
        "A sign-in that access tokens are fetched with ends soon.",
        "the sign-in as {who} {ending}",
        "sign in at the provider again, which begins a new one",
    ),
    Entry(
        "secret-exposed",
        SOON,
        "A file with a password or with mail can be read by others, or belongs to another user.",
        "{path} {how}",
        "make it yours alone",
    ),
    Entry(
        "config-exposed",
        SOON,
        "The configuration holds a password and can be read by others.",
        "{path} can be read by others, and a password stands in it",
        "make it yours alone",
    ),
    Entry(
        "same-maildrop",
        SOON,
        "Two accounts fetch from one mailbox, and one may delete what the other has not seen.",
        "{names} fetch from one mailbox, {maildrop}",
        "make one account of them, with all the destinations",
    ),
    Entry(
        "state-on-network",
        BROKEN,
        "The ledger lies on a network file system, where its locks cannot be trusted.",
        "{path} lies on a network file system ({kind}), where the ledger's locks cannot be trusted",
        "move state_dir to a local disk; the archive may stay",
    ),
    Entry(
        "never-run",
        SOON,
        "An account is configured and was never worked.",
        "no run so far",
        "run migrate, or start mailferry run",
    ),
    Entry(
        "never-verified",
        SOON,
        "The archive of an account has not been read again in full for too long.",
        "the archive was {when} read again in full",
        "run verify",
    ),
    Entry(
        "index-damaged",
        SOON,
        "The search index cannot be read. No mail depends on it.",
        "the search index cannot be used: {problem}",
        "run reindex, which makes it again from the archive",
    ),
    Entry(
        "notify-dead",
        SOON,
        "Nobody would hear of trouble: the way to them does not work.",
        "nobody would hear of trouble: {problem}",
        "correct [notify], then run notify --test",
    ),
    *HINTS,
)

BY_ID = {entry.id: entry for entry in ENTRIES}
RANK = {
    entry.id: rank for rank, entry in enumerate(sorted(ENTRIES, key=lambda entry: list(Severity).index(entry.severity)))
}
"""The place of each id in a list, the most important first."""
