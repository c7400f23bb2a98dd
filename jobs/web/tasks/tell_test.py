"""A test message to everybody who hears of it, with what became of each."""

from __future__ import annotations

from jobs.alerting.channels import channels, send_everywhere
from jobs.alerting.notification import Notification
from jobs.web.language import gettext as _, gettext_lazy
from jobs.web.tasks.kind import Hands, TaskKind
from jobs.web.tasks.task import Task
from migrator.errors import FerryError, Kind
from migrator.ui.text import plural


def _test(_task: Task, hands: Hands) -> str:
    config = hands.config
    text = f"This is only a test. It looks after {plural(len(config.accounts), 'account')} here.\n"
    results = send_everywhere(channels(config.notify), Notification("test message", text))
    if not results:
        raise FerryError(Kind.REFUSED, _("There is nobody to tell."))
    said = "; ".join(_in_words(name, error) for name, error in results)
    if any(error for _name, error in results):
        raise FerryError(Kind.REFUSED, said)
    return said


def _in_words(name: str, error: FerryError | None) -> str:
    """Say what became of one channel; what went wrong repeats no secret."""
    kind, _sep, host = name.partition(" ")
    called = _("Mail through %(host)s") % {"host": host} if kind == "smtp" else _service(name)
    return f"{called}: {_('sent') if error is None else error}"


def _service(name: str) -> str:
    return _("Service %(number)s") % {"number": name.rpartition("-")[2]}


TELL_TEST = TaskKind("tell-test", gettext_lazy("Send a test message"), _test, see="/tell-me", is_quick=True)
