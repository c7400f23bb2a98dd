from __future__ import annotations

import pytest

from migrator.findings.model import Cure, Finding, Severity

TWO = "mbox /mail/a and mbox /mail/bob are not there, and 5 messages are known to be in them"


@pytest.mark.parametrize(
    ("destination", "label", "is_about"),
    [
        ("mbox /mail/a", "mbox /mail/a", True),
        ("mbox /mail/a", "mbox /mail/bob", False),
        (None, "mbox /mail/a", True),
        (None, "mbox /mail/bob", True),
        (None, "mbox /mail/bo", False),
        (None, "mbox /mail/carol", False),
    ],
)
def test_a_finding_is_about_the_destinations_that_it_names(destination: str | None, label: str, is_about: bool) -> None:
    found = Finding("archive-missing", Severity.BROKEN, "disk", ("a", "b"), destination, TWO, 0.0, Cure("mount it"))
    assert found.is_about(label) is is_about
