"""Sentences of servers, by what they mean; most are quoted from reports of people who met them."""

from __future__ import annotations

import pytest

from migrator.imap.refusal_words import Meaning, meaning_of

SENTENCES = {
    Meaning.MISSING: ["[TRYCREATE] no such folder", "[NONEXISTENT] Mailbox doesn't exist: Later"],
    Meaning.THROTTLED: [
        "[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)",
        "Request is throttled. Suggested Backoff Time: 299609 milliseconds",
        "[LIMIT] APPEND Rate limit hit.",
        "Too many requests",
        "[ALERT] 操作过于频繁",
    ],
    Meaning.LIMITED: [
        "[ALERT] Too many simultaneous connections. (Failure)",
        "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
        "[LIMIT] Too many concurrent sessions",
        "Too many login failures (Failure)",
        "Zu viele gleichzeitige Verbindungen",
    ],
    Meaning.FULL: [
        "[OVERQUOTA] Quota exceeded (mailbox for user is full)",
        "[ALERT] You exceeded your mail quota.",
        "APPEND The storage limit has been exceeded",
        "Over quota",
        "Mailbox is full",
        "Your mailbox is over its size limit",
        "Insufficient disk space",
        "No space left on device",
        "Das Postfach ist voll",
        "Quota dépassé",
        "La boîte de réception est pleine",
        "邮箱空间已满",
        "Почтовый ящик переполнен",
        "[OVERQUOTA] Mailbox full, try again later",
    ],
    Meaning.TOO_LARGE: [
        "[TOOBIG] Message too large",
        "Message size exceeds fixed maximum message size",
        "Message exceeds the maximum permitted size",
    ],
    Meaning.BUSY: ["[UNAVAILABLE] backend down", "[INUSE] mailbox in use", "[LIMIT] not now"],
    Meaning.READ_ONLY: ["Current box is selected READ-ONLY.", "[NOPERM] read-only"],
    Meaning.FORBIDDEN: ["[NOPERM] Permission denied"],
    Meaning.UNKNOWN_PROGRAM: ["EXAMINE Unsafe Login. Please contact kefu@188.com for help"],
    Meaning.EXISTS: [
        "[ALREADYEXISTS] there is one",
        "Mailbox already exists.",
        "Duplicate folder name archive (Failure)",
    ],
    Meaning.PASSING: [
        "Server Unavailable. 15",
        "Mailbox is locked",
        "[SERVERBUG] Internal error occurred. Refer to server log for more information.",
        "[CONTACTADMIN] something is wrong",
        "Server error - Please try again later",
        "Down for maintenance",
        "Wartungsarbeiten, bitte später erneut versuchen",
        "Service temporairement indisponible",
        "系统繁忙 请稍后再试",
        "ただいまメンテナンス中です",
        "Сервис временно недоступен",
    ],
}


@pytest.mark.parametrize(
    ("words", "meaning"), [(words, meaning) for meaning, sentences in SENTENCES.items() for words in sentences]
)
def test_each_sentence_means_one_thing(words: str, meaning: Meaning) -> None:
    assert meaning_of(words.encode()) is meaning


@pytest.mark.parametrize(
    "words",
    [
        "",
        "it looks like spam",
        "Command Argument Error. 11",
        "Message contains bare newlines",
        "[LIMIT] Too many identical emails",
        "Mailbox does not exist: Locked",
    ],
)
def test_what_nobody_knows_means_nothing(words: str) -> None:
    assert meaning_of(words.encode()) is None
