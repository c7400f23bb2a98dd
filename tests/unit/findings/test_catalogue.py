from __future__ import annotations

import re

from migrator.findings.catalogue import BY_ID, ENTRIES, RANK
from migrator.findings.model import Severity

CONTRACT = {
    Severity.BROKEN: """archive-missing archive-changed archive-damaged archive-read-only mailbox-missing not-everywhere
        ledger-damaged ledger-newer ledger-away state-read-only disk-full quota-full clock-jump worker-dead stale auth-refused
        account-row sign-in-needed secret-missing host-unknown host-unreachable wrong-service wrong-tls certificate refused""",
    Severity.SOON: """ledger-settings unproven-copies copies-gone message-refused archive-unknown archive-inside-state state-older
        disk-low limited secret-exposed config-exposed same-maildrop never-run never-verified index-damaged notify-dead
        listen-taken sign-in-ending""",
    Severity.HINT: "message-too-large paused nobody-told vault-key-nearby file-system provider-deletes",
}


def test_the_contract_s_ids_have_the_contract_s_severities() -> None:
    for severity, ids in CONTRACT.items():
        assert {BY_ID[name].severity for name in ids.split()} == {severity}


def test_an_id_stands_once_and_the_broken_come_before_all_others() -> None:
    assert len(BY_ID) == len(ENTRIES)
    in_order = sorted(RANK, key=RANK.__getitem__)
    assert [BY_ID[name].severity for name in in_order] == sorted(
        (entry.severity for entry in ENTRIES), key=list(Severity).index
    )


def test_no_sentence_stands_twice() -> None:
    own = [entry.text for entry in ENTRIES if re.search(r"[a-z]", re.sub(r"\{\w+\}", "", entry.text))]
    assert len(own) == len(set(own))
    assert len({entry.meaning for entry in ENTRIES}) == len(ENTRIES)


def test_sentences_look_as_they_are_shown() -> None:
    for entry in ENTRIES:
        assert entry.meaning.endswith("."), entry.id
        for shown in (entry.text, entry.cure):
            assert not shown.endswith((".", " ")), entry.id
            assert "  " not in shown
            assert re.fullmatch(r"[^{}]*(\{[a-z_]+\}[^{}]*)*", shown), entry.id
