"""What providers take in place of an account's password, and what must be switched on first: data. Pure.

Collected in 2026 from the help pages that are named, the ISP database and Delta Chat's list of providers; what these do
not say is left out. Nothing of it was tried with an account.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Provider(NamedTuple):
    """One provider: the domains of its mail servers, and what to do where it refuses a password."""

    domains: tuple[str, ...]
    advice: str


_CODE: Final = (
    "takes an authorization code in place of the password: switch POP3 and IMAP on in its settings, make one there"
)

PROVIDERS: Final = (
    # support.google.com/mail/answer/185833 and 7104828
    Provider(
        ("gmail.com", "googlemail.com"),
        "Gmail takes an app password (myaccount.google.com/apppasswords, with 2-Step Verification) or a token"
        ' (auth = "xoauth2"), never the password of the account; POP must be enabled in its settings',
    ),
    # learn.microsoft.com, "Deprecation of Basic authentication in Exchange Online"; personal accounts since 2024-09-16
    Provider(
        ("office365.com", "outlook.com", "hotmail.com", "live.com"),
        'Microsoft takes no passwords and no app passwords for mail, only tokens: set auth = "xoauth2"'
        " and let password be a command that prints one; POP must be allowed in the settings of the mailbox",
    ),
    # help.yahoo.com SLN15241, help.aol.com
    Provider(
        ("yahoo.com",), 'Yahoo takes an app password: "Generate app password" in the security settings of the account'
    ),
    Provider(
        ("aol.com",), 'AOL takes an app password: "Generate app password" in the security settings of the account'
    ),
    # support.apple.com 102654
    Provider(("me.com", "icloud.com"), "iCloud takes an app-specific password, made at account.apple.com"),
    # hilfe.gmx.net and hilfe.web.de, "POP3/IMAP-Abruf einschalten", "Anwendungsspezifisches Passwort"
    Provider(
        ("gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.com", "mail.com"),
        "GMX wants POP3 and IMAP switched on in the settings of the mailbox, and an app password where"
        " two-factor authentication is on",
    ),
    Provider(
        ("web.de",),
        "WEB.DE wants POP3 and IMAP switched on in the settings of the mailbox, and an app password where"
        " two-factor authentication is on",
    ),
    # telekom.de/hilfe, "Passwort für E-Mail-Programme"
    Provider(("t-online.de",), 'T-Online takes the "Passwort für E-Mail-Programme", set in the Kundencenter'),
    # help.mail.ru, "Пароли для внешних приложений"
    Provider(("mail.ru",), "Mail.ru takes a password for external applications, made in the security settings"),
    # yandex.com/support/mail
    Provider(
        ("yandex.com", "yandex.ru"),
        "Yandex takes an app password; POP3 must be enabled under Email clients in the settings",
    ),
    # help.mail.qq.com, since 2022-11 for everybody
    Provider(("qq.com", "foxmail.com"), f"QQ {_CODE}"),
    Provider(("163.com", "126.com", "yeah.net"), f"NetEase {_CODE}"),
    # help.naver.com
    Provider(("naver.com",), "Naver takes an application password with two-step verification; POP3 must be enabled"),
    # fastmail.help
    Provider(("fastmail.com", "messagingengine.com"), "Fastmail takes an app password"),
    # zoho.com/mail/help
    Provider(
        ("zoho.com", "zoho.eu", "zoho.in"),
        "Zoho takes an app password with two-factor authentication; POP must be enabled",
    ),
)


def password_advice(host: str) -> str:
    """Return what the provider of a server wants for a password, ``""`` where it is not known."""
    name = host.lower().rstrip(".")
    labels = name.split(".")
    domains = {".".join(labels[start:]) for start in range(len(labels))}
    return next((one.advice for one in PROVIDERS if domains.intersection(one.domains)), "")
