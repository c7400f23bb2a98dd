from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from migrator.net.refusal_words import Cause, cause_of, duration_in, names_credentials, says_why

QQ = (
    "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is"
    " busy. More information at https://help.mail.qq.com/"
)
SENTENCES: dict[Cause | None, list[str]] = {
    Cause.PASSWORD: [
        QQ,
        "Logon failure: unknown user name or bad password.",  # Exchange
        "Username and password not accepted.",  # Gmail
        "密码错误或系统繁忙",
        "用户名或密码错误",
        "ユーザー名またはパスワードが違います",
        "Неверный логин или пароль",
        "Identifiant ou mot de passe incorrect",
        "Usuario o contraseña incorrectos",
        "Benutzername oder Passwort falsch, oder der Server ist überlastet",
        "invalid credentials",
    ],
    Cause.APP_PASSWORD: [
        "Application-specific password required: https://support.google.com/accounts/answer/185833",
        "Please using authorized code to login. More information at http://service.mail.qq.com/",
        "请使用授权码登录",
        "Нужен пароль приложения",
        "Bitte verwenden Sie ein anwendungsspezifisches Passwort",
    ],
    Cause.WEB_LOGIN: ["Web login required: http://support.google.com/mail/", "Please log in via your web browser", "Please verify your account"],
    Cause.SERVICE_OFF: [
        "Your account is not enabled for POP access. Please visit your Gmail settings page",
        "POP3 access is disabled for this mailbox",
        "POP3/IMAP ist deaktiviert",
        "POP3未开启",
        "Доступ по POP3 отключен",
    ],
    Cause.BLOCKED: ["account locked after failures", "Ihr Konto wurde gesperrt", "帐号已被冻结", "Ваш аккаунт заблокирован"],
    Cause.ENCRYPTION: [
        "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",  # Dovecot
        "Must issue a STLS command first",
        "SSL connection required",
        "Bitte nur verschlüsselt verbinden",
        "Требуется шифрованное соединение",
    ],
    Cause.MECHANISM: [
        "Invalid command in current state.",  # hMailServer
        "Command is not valid in this state.",  # Exchange
        "Unsupported authentication mechanism",
        "unknown command",
        "syntax error",
    ],
    Cause.LOCKED_OUT: [
        "Too many bad login attempts.",  # Yahoo
        "Your account has been temporarily locked",
        "Zu viele fehlgeschlagene Anmeldeversuche",
        "Слишком много неудачных попыток",
        "Trop de tentatives, mot de passe bloqué",
        "Zu viele Anmeldeversuche, bitte später erneut",
        "Troppi tentativi di accesso",
        "Te veel inlogpogingen",
    ],
    Cause.TOO_SOON: [
        "Exceeded the login limit for a 15 minute period. Reduce the frequency of requests to the POP3 server.",  # Outlook
        "Mailbox may be polled only every 720 seconds",  # web.de
        "Sie rufen Ihr Postfach zu häufig ab",
        "login too frequent",
        "POP3 sessions are limited to one every 15 minutes",
        "Anmeldelimit erreicht",
        "Fehler: zu viele Anmeldungen",
        "Zu viele Zugriffe auf das Postfach",
        "Troppi accessi",
        "Zugriff erst wieder in 12 Minuten möglich",
        "您的帐号登录次数超过限制",
        "ログイン回数が多すぎます",
        "Ha superado el límite de accesos, espere 15 minutos",
        "登录太频繁",
        "ログインの頻度が高すぎます",
        "Слишком частые обращения: слишком часто",
        "Vous vous connectez trop souvent",
        "Accede con demasiada frecuencia",
    ],
    Cause.TOO_MANY: [
        "Nombre maximal de connexions atteint",
        "Sie haben zu viele gleichzeitige Verbindungen",
        "concurrent login limit",
        "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",  # Dovecot
        "Too many connections",
        "Zu viele Verbindungen von Ihrer Adresse",
        "连接数超过限制",
        "同時接続数の上限です",
        "Слишком много подключений",
        "Trop de connexions",
        "Troppe connessioni",
        "Te veel verbindingen vanaf uw adres",
        "Demasiadas conexiones",
    ],
    Cause.IN_USE: [
        "duplicate login!",  # Sina
        "Почтовый ящик заблокирован другой сессией",
        "Buzón bloqueado por otra sesión",
        "Boîte aux lettres verrouillée par une autre session",
        "邮箱被锁定",
        "unable to lock maildrop",
        "maildrop already locked",
        "mailbox already in use by pid 12345",  # perdition
        "The mailbox is temporarily locked",
        "Das Postfach ist bereits geöffnet",
        "邮箱正在使用",
        "メールボックスは使用中です",
        "Почтовый ящик уже используется",
        "La boîte est déjà utilisée",
        "El buzón está en uso",
    ],
    Cause.READING_LIMIT: ["Download exceed. msg=10", "Lockdown in sector 4", "daily limit reached", "下载次数超过上限"],
    Cause.LIMIT: ["Unable to log on: exceeded rate", "Limite du compte dépassée", "accès: límite superado"],
    Cause.MAILBOX_FULL: ["Mailbox is over quota", "Das Postfach ist voll", "邮箱已满", "Почтовый ящик переполнен"],
    Cause.DISK_FULL: ["No space left on device", "cannot get maildrop: disk is full", "磁盘空间不足", "Le disque est plein", "нет места"],
    Cause.BROKEN: [
        "Server error: Failed to fetch messages in Inbox.",  # hMailServer
        "this user has no $HOME/Maildir",  # qmail
        "unable to scan $HOME/Maildir",
        "Unable to process From lines (envelopes), change recognition mode",  # qpopper
        "cannot open mailbox: Input/output error",
        "the spool file is corrupt",
        "无法打开邮箱",
        "メールボックスを開けません",
    ],
    Cause.MAINTENANCE: ["System is under maintenance", "Wartungsarbeiten", "系统维护中", "メンテナンス中です", "server is shutting down"],
    Cause.BARRED: ["your IP address is blacklisted", "host 192.0.2.1 is banned"],
    Cause.TEMPORARY: [
        "Temporary authentication failure.",  # Dovecot
        "Re-Authentication Failure",  # perdition
        "Internal login failure. Refer to server log for more information.",  # Dovecot
        "Unable to contact authentication server",
        "LDAP connection failed",
        "server busy",
        "internal error",
        "Dienst vorübergehend nicht verfügbar",
        "系统繁忙, 请稍后再试",
        "只今混み合っています",
        "Сервис временно недоступен",
        "Service temporairement indisponible",
        "Servicio no disponible, inténtelo más tarde",
    ],
    None: ["Authentication failed.", "Unable to log on.", "no", "", "the stars are not right", "sorry, no such mailbox"],
}  # fmt: skip


@pytest.mark.parametrize(("cause", "text"), [(cause, text) for cause, texts in SENTENCES.items() for text in texts])
def test_a_sentence_means_what_it_means(cause: Cause | None, text: str) -> None:
    assert cause_of(text) is cause


def test_every_cause_has_sentences() -> None:
    assert set(SENTENCES) == {*Cause, None}


def test_only_the_causes_asked_for_are_found() -> None:
    assert cause_of("bad password, try later", frozenset({Cause.TEMPORARY})) is Cause.TEMPORARY
    assert cause_of("bad password", frozenset({Cause.TEMPORARY})) is None


@pytest.mark.parametrize(
    ("text", "is_named"), [("Authentication failed.", True), ("no such mailbox", True), ("[AUTH] bad stars", False)]
)
def test_words_that_name_the_log_in_are_told_from_others(text: str, is_named: bool) -> None:
    assert names_credentials(text) is is_named


@pytest.mark.parametrize(
    ("text", "says"), [("no", False), ("", False), ("failed", False), ("[X-ODD] no", False), ("bad stars", True)]
)
def test_a_plain_no_says_nothing(text: str, says: bool) -> None:
    assert says_why(text) is says


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("every 720 seconds", 720.0),
        ("a 15 minute period", 900.0),
        ("nur alle 15 Minuten", 900.0),
        ("请15分钟后再试", 900.0),
        ("через 10 минут", 600.0),
        ("in 2 hours", 7200.0),
        ("at 12:30", None),
        ("later", None),
    ],
)
def test_a_duration_is_read_in_any_of_the_languages(text: str, seconds: float | None) -> None:
    assert duration_in(text) == seconds


@given(st.text(max_size=200))
def test_any_words_have_a_meaning_or_none(text: str) -> None:
    cause_of(text)
    says_why(text)
    names_credentials(text)
    assert (duration_in(text) or 0) >= 0


@pytest.mark.parametrize("piece", ["max", "temporar", "error a ", "command x ", "login ", "too many a ", "account "])
def test_a_hostile_line_is_read_in_no_time(piece: str) -> None:
    began = time.perf_counter()
    cause_of(piece * 4000)
    assert time.perf_counter() - began < 1.0
