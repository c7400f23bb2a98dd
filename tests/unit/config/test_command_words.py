from __future__ import annotations

import pytest

from migrator.config.command_words import without_secrets


@pytest.mark.parametrize(
    "command",
    [
        "pass show mail/alice",
        "pass show mail/alice@example.org",
        "gopass show -o mail/password",
        "secret-tool lookup service mail user alice",
        "bw get password 8c5a1d2e-0b7f-4d58-9c07-5b1a2f3e4d5c",
        "op read op://private/mail/password",
        "security find-generic-password -s mail -w",
        "keepassxc-cli show -sa password --key-file /etc/keys/mail.keyx db.kdbx mail",
        "gpg --batch -d --passphrase-file /etc/pass ~/.mail.gpg",
        "age -d -i ~/.age/key.txt mail.age",
        "vault kv get -field=password secret/mail",
        "sh -c 'pass show mail/alice | head -n 1'",
        "/usr/local/bin/mail-password alice",
        "cat '/run/secrets/with blank'",
    ],
)
def test_a_command_that_says_where_the_secret_is_stays_as_it_is(command: str) -> None:
    assert without_secrets(command) == command


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("echo hunter2", "echo ***"),
        ("/bin/echo -n 'hunter 2'", "/bin/echo -n '***'"),
        ("printf '%s' hunter2", "printf '%s' ***"),
        ("env echo hunter2", "env echo ***"),
        ("sh -c 'echo hunter2'", "sh -c '***'"),
        ("sh -c 'PASSWORD=hunter2 get'", "sh -c '***'"),
        ("get --password=hunter2 alice", "get --password=*** alice"),
        ("get --password hunter2 alice", "get --password *** alice"),
        ("get --api-key hunter2", "get --api-key ***"),
        ("bw get password mail --session AbC+123/x==", "bw get password mail --session ***"),
        ("env BW_SESSION=hunter2 bw get password mail", "env *** bw get password mail"),
        ("curl -H 'Authorization: Bearer hunter2' https://vault", "curl -H '***' https://vault"),
        ("curl https://user:hunter2@vault/mail", "curl ***"),
        ("get tok1234567890abcdefghij", "get ***"),
        ("echo hunt\\er2", "echo ***"),
    ],
)
def test_a_word_that_looks_like_a_secret_is_not_shown(command: str, shown: str) -> None:
    assert without_secrets(command) == shown
    assert without_secrets(shown) == shown
