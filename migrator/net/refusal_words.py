"""What servers mean by a refusal in words: sentences of many servers and languages, as a table of causes. Pure.

Servers without response codes (RFC 2449, section 8; RFC 3206) say limits, faults, full disks, broken mailboxes and
wrong passwords in words, some in Chinese, some in the language of their users. The first row that fits counts, so the
order says what a sentence means that names two things: the password comes before "busy". Sentences were seen at QQ,
Sina, 163, web.de, GMX, Outlook, Exchange, hMailServer, Dovecot, Courier, Cyrus, qmail, Gmail, Yahoo and perdition, or
are their like in other languages.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from functools import cache
from typing import Final


class Cause(Enum):
    """Why a server says no."""

    PASSWORD = auto()
    """The user, the password, or both are wrong."""
    APP_PASSWORD = auto()
    """It wants a password made for programs, not that of the account."""
    WEB_LOGIN = auto()
    """A person must sign in by a browser first."""
    SERVICE_OFF = auto()
    """POP3 or IMAP is switched off for this mailbox."""
    BLOCKED = auto()
    """The account is locked until a person unlocks it."""
    ENCRYPTION = auto()
    """No password is taken on a line that is not encrypted."""
    MECHANISM = auto()
    """It does not know this command, or this way to log in."""
    LOCKED_OUT = auto()
    """Nobody gets in for a while: too many log-ins failed."""
    TOO_SOON = auto()
    """More time must lie between two log-ins."""
    TOO_MANY = auto()
    """Too many connections at once."""
    IN_USE = auto()
    """Another session holds the mailbox."""
    READING_LIMIT = auto()
    """The provider limits how much may be read."""
    LIMIT = auto()
    """Some limit is reached, and it does not say which."""
    MAILBOX_FULL = auto()
    DISK_FULL = auto()
    """The server's own disk is full."""
    BROKEN = auto()
    """The server cannot open or read the mailbox."""
    MAINTENANCE = auto()
    """The server is being worked on, or goes down."""
    BARRED = auto()
    """This machine's address is barred."""
    TEMPORARY = auto()
    """Something fails at the moment."""


_ROWS: Final[tuple[tuple[Cause, str], ...]] = (
    # Dovecot, Courier, perdition: the service that checks passwords is at fault.
    (
        Cause.TEMPORARY,
        r"""
        temporar\w* (?:\w+ ){0,2}(?:auth|log ?in)|auth\w*:? (?:\w+ ){0,4}(?:temporar|unavailable|timed? ?out)
        internal (?:\w+ ){0,2}failure|refer to server log
        re-?authentication failure|(?:contact|reach|connect to) (?:the )?(?:\w+ )?(?:auth|ldap|database)
        \b(?:ldap|sql|mysql|database|radius|directory|backend)\b.{0,40}(?:error|fail|down|unavailable|time)
        """,
    ),
    # Yahoo: "Too many bad login attempts".
    (
        Cause.LOCKED_OUT,
        r"""
        too many (?:\w+ ){0,3}(?:fail|bad|invalid|incorrect|wrong|unsuccessful|password|auth)
        (?:fail|bad|invalid|wrong)\w* (?:\w+ ){0,2}(?:attempt|log ?-?in|logon)s? .{0,30}(?:exceed|limit|reached)
        (?:account|user|login|ip|address)\b.{0,30}temporar\w* .{0,20}(?:lock|block|bann|suspend|restrict)
        (?:account|user|ip|address)\b.{0,30}(?:lock|block|bann|suspend)\w* .{0,20}(?:for \d|until|minut)
        konto\b.{0,30}vorübergehend .{0,20}gesperrt|konto\b.{0,30}gesperrt .{0,20}(?:für \d|bis|minut)
        zu viele (?:\w+ )?(?:fehl|falsche|ungültige|anmeldeversuch|login-?versuch)|trop de (?:tentatives|échecs)
        tropp[ie] (?:\w+ )?tentativ|te veel (?:\w+ )?(?:inlog|aanmeld)?pogingen
        demasiados (?:intentos|fallos)|временно заблокирован|слишком много (?:\w+ )?попыток
        暂时(?:被)?(?:锁定|冻结|封禁)|密码错误次数|错误次数过多|試行回数|試行が多
        """,
    ),
    # Dovecot, Courier, Exchange.
    (
        Cause.ENCRYPTION,
        r"""
        plain ?-?text|clear ?-?text|klartext|unencrypted|unverschlüsselt|non chiffré|sin cifrar|未加密
        暗号化されていない
        (?:require|must|need|only|first|use|issue|enable)\w* .{0,40}\b(?:ssl|tls|stls|starttls|encrypt\w*|secure)\b
        \b(?:ssl|tls|stls|starttls|encryption)\b .{0,30}(?:require|mandatory|first|needed|erforderlich)
        secure (?:connection|channel)\b .{0,30}(?:require|mandatory|first|needed)
        verschlüssel\w+ .{0,30}(?:erforderlich|notwendig|benötigt|verwenden)
        (?:nur|bitte) .{0,30}(?:verschlüssel|ssl|tls)|connexion (?:sécurisée|chiffrée)
        conexión (?:segura|cifrada)|шифрован|защищ[её]нн\w+ соединени|加密连接|安全连接|使用ssl|暗号化
        """,
    ),
    # Gmail, Yahoo, 163, and QQ: "Please using authorized code to login".
    (
        Cause.APP_PASSWORD,
        r"""
        app(?:lication)?s?[- ]?(?:specific )?(?:-|\b)password|application-specific
        \bauthori[sz](?:ation|ed) code|third[- ]party .{0,20}password|授权码|授權碼|专用密码|專用密碼
        парол\w* (?:для )?(?:внешн\w+ )?приложени|mot de passe d.application|contraseñas? de aplicaci
        anwendungs(?:spezifisch|passw)|app-passw|アプリ(?:用|専用|ケーション)?.{0,2}パスワード|secure mail key
        """,
    ),
    # Gmail: "Web login required"; Outlook, Yandex.
    (
        Cause.WEB_LOGIN,
        r"""
        web ?-?(?:log ?-?in|browser)
        (?:log|sign) ?in .{0,20}(?:via|through|using|with|in|on) (?:your |a |the )?(?:web|browser)|im browser
        verify your (?:account|identity)|confirm (?:your identity|that it was you)
        über (?:den|einen) browser|через (?:браузер|веб)|浏览器|瀏覽器|ブラウザ|navigateur|navegador
        """,
    ),
    (
        Cause.PASSWORD,
        r"""
        passw(?!ord (?:is )?(?:accepted|ok\b))|pass ?phrase|\bpwd\b|credential|kennwort|zugangsdaten|anmeldedaten
        identifiants|mot de passe|contrase|\bclave\b|парол|密码|密碼|口令|パスワード|用户名或
        user ?name and|user ?name or
        """,
    ),
    # A lock of the mailbox is another session's, a lock of the account is for a person to undo.
    (
        Cause.BLOCKED,
        r"""
        account.{0,30}(?:locked(?! by)|disabled|suspended|blocked|deactivated|closed|expired)
        user.{0,20}(?:locked out|disabled|suspended|blocked)|konto.{0,30}(?:gesperrt|deaktiviert)
        benutzer.{0,30}gesperrt|(?:帐号|账号|帐户|账户|用户).{0,8}(?:冻结|锁定|封禁|禁用|异常)|邮箱.{0,8}(?:冻结|封禁|禁用)
        (?:учетн|учётн|аккаунт|пользовател).{0,30}(?:заблокир|отключ)
        compte.{0,30}(?:bloqu|désactiv|suspend)|cuenta.{0,30}(?:bloquead|suspendid|desactivad)
        アカウント.{0,12}(?:ロック|停止|無効|凍結)
        """,
    ),
    # Gmail, GMX, web.de, QQ, Zoho, Exchange.
    (
        Cause.SERVICE_OFF,
        r"""
        \b(?:pop3?|imap4?|service|protocol)\b.{0,40}(?:disabled|deactivated|switched off|turned off)
        \b(?:pop3?|imap4?|service|protocol)\b.{0,40}not (?:been )?(?:enabled|activated|active|allowed|open|permitted)
        not (?:enabled|allowed|permitted|authori[sz]ed) (?:for|to use) (?:\w+ )?(?:pop|imap)
        (?:enable|activate)\w* (?:\w+ ){0,3}(?:pop|imap)
        \b(?:pop3?|imap)\b.{0,40}(?:deaktiviert|nicht (?:aktiviert|freigeschaltet|erlaubt|aktiv)|freischalten)
        (?:pop3?|imap).{0,20}(?:未开启|未開啟|未开通|没有开启|关闭|無効|利用できません|許可されていません)
        (?:未开启|未开通|没有开启|请开启).{0,12}(?:pop|imap|服务)
        \b(?:pop3?|imap)\b.{0,40}(?:отключ|выключ|запрещ|не включ|désactiv|n.est pas activ)
        \b(?:pop3?|imap)\b.{0,40}(?:desactivad|no está (?:activ|habilit))
        """,
    ),
    # hMailServer: "Invalid command in current state"; Exchange: "Command is not valid in this state".
    (
        Cause.MECHANISM,
        r"""
        (?:unknown|unsupported|invalid|unrecogni[sz]ed|illegal|bad) (?:\w+ ){0,2}(?:command|mechanism|method)\b
        (?:unknown|unsupported|invalid|unrecogni[sz]ed) auth\w* (?:type|scheme)
        \b(?:command|mechanism|method)s?\b(?: \S+){0,3} (?:unknown|unsupported|invalid|disabled|unrecogni[sz]ed)
        \b(?:command|mechanism|method)s?\b(?: \S+){0,3} not (?:\w+ )?(?:valid|supported|recogni[sz]ed|implemented)
        \b(?:command|mechanism|method)s?\b(?: \S+){0,3} not (?:\w+ )?(?:allowed|available|enabled|known|permitted)
        syntax error|not implemented|not supported|wrong (?:state|sequence)|nicht unterstützt|unbekannter befehl
        不支持|未知命令|未対応|не поддержива|неизвестная команда
        """,
    ),
    (Cause.DISK_FULL, r"no space left|disk (?:is )?full"),
    (Cause.TOO_SOON, r"\bevery \d+ ?(?:sec|min|hour)|once (?:\w+ ){0,4}every|limited to (?:\w+ ){0,4}every"),
    (
        Cause.MAILBOX_FULL,
        r"""
        over ?-?quota
        \b(?:mailbox|mail box|maildrop|postfach|storage|disk|user|account)\b.{0,30}(?:\bquota|is full|is over|voll\b)
        quota .{0,20}(?:mailbox|storage|disk)|邮箱.{0,8}(?:已满|空间)|郵箱.{0,8}已滿
        メールボックス.{0,10}(?:いっぱい|容量)|ящик.{0,20}(?:переполнен|заполнен)|boîte .{0,20}pleine
        buzón .{0,20}lleno
        """,
    ),
    # 163: "Download exceed"; Gmail.
    (
        Cause.READING_LIMIT,
        r"""
        lockdown in sector|download.{0,20}exceed|exceed.{0,40}(?:download|bandwidth|quota)
        (?:download|bandwidth|transfer|traffic|retriev\w*)\b.{0,20}(?:limit|quota)
        (?:daily|hourly|per day|per hour)\b.{0,30}(?:limit|quota)
        (?:limit|quota)\b.{0,30}(?:daily|hourly|per day|per hour)|downloadlimit|tageslimit
        (?:下载|下載|流量|收信|收取).{0,10}(?:超|限制|上限)|ダウンロード.{0,12}(?:制限|上限)
        лимит .{0,20}(?:загруз|скачив|трафик)|limite de (?:téléchargement|descarga)
        (?:bandwidth|transfer|traffic) (?:\w+ ){0,2}exceed
        """,
    ),
    # Dovecot: "Maximum number of connections from user+IP exceeded".
    (
        Cause.TOO_MANY,
        r"""
        too many (?:\w+ ){0,4}(?:connection|session|client|process|user|open)
        max\w* (?:\w+ ){0,4}(?:connection|session|client)|userip_connections
        \b(?:connection|session|client)s?\b (?:\w+ ){0,2}(?:limit|count|exceed|quota)
        exceed\w* (?:\w+ ){0,4}(?:connection|session)s|zu viele (?:\w+ )?(?:verbindung|sitzung)
        (?:连接|連接|会话)数.{0,6}(?:过|超|限|上限|已)|接続数|同時接続
        слишком много (?:\w+ )?(?:соединен|подключен|сесси)|trop de (?:connexion|session)
        demasiadas (?:conexion|sesion)|troppe (?:connession|session)|te veel (?:\w+ )?(?:verbinding|sessie)
        simultan\w+|concurrent|gleichzeitig|одновременн|同时登录|同時登錄|连接过多|連接過多|no more connections
        (?:nombre|número|anzahl) \w*ma?[xá]\w*|(?:limite|límite) de (?:connexion|conexion|session|sesion)
        maximal\w* (?:anzahl|zahl)|лимит (?:подключ|соедин)
        """,
    ),
    # Outlook: "Exceeded the login limit for a 15 minute period"; web.de: every 720 seconds; Sina, QQ.
    (
        Cause.TOO_SOON,
        r"""
        too (?:often|frequent|soon|fast|quick|rapid)|login[- ]delay|throttl|rate[- ]limit
        too many(?! (?:lines|recipients|headers|parts|bytes|arguments))
        minimum (?:time|interval|delay)
        \b(?:log ?-?in|log ?-?on|access|check|poll|request|sign-?in)\w*\b (?:\w+ ){0,3}(?:limit|frequen|rate\b|interval)
        exceed\w* (?:\w+ ){0,3}(?:log ?-?in|log ?-?on|request|access|check)
        (?:limit|frequency|interval) (?:\w+ ){0,3}(?:log ?-?in|log ?-?on|request|check)s?
        (?:only|once) (?:\w+ ){0,4}every|every \d+ ?(?:sec|min)|wait (?:\w+ ){0,4}\d+ ?(?:s\b|sec|min|hour)
        zu viele (?:\w+ )?(?:anmeld|login|zugriff|abruf|anfrage)|troppi (?:access|login)|te veel (?:aanmeld|verzoek)
        zu (?:häufig|oft|früh|schnell)|(?:nur|höchstens) (?:\w+ )?(?:alle|einmal)|alle \d+ (?:min|sek)
        frühestens|mindestabstand|abrufintervall|频繁|頻繁|频率|頻率|頻度|次数过多|次數過多|过于
        слишком (?:часто|много запрос)|превышен\w* (?:\w+ )?(?:лимит|частот|число|количество)
        trop (?:souvent|fréquem|fréquent|rapproché|de requêtes)
        demasiad\w+ (?:frecuen|a menudo|seguid|solicitud|peticion)|con demasiada frecuencia
        anmeldelimit|limit .{0,20}anmeld|anmeld\w* .{0,20}limit|erst (?:wieder )?(?:in|nach) \d+|warten sie
        次数超|次数过|回数|登录数|espere \d+|attendez|patientez|limited to (?:\w+ ){0,4}(?:every|per)
        """,
    ),
    (
        Cause.TEMPORARY,
        r"""
        (?:system|server|service)\b (?:is )?(?:currently )?(?:too )?busy
        (?:系统|服务器|系統|伺服器)(?:正?忙|繁忙)
        """,
    ),
    # Sina: "duplicate login"; RFC 1939: "unable to lock maildrop"; Cyrus, qpopper, hMailServer.
    (
        Cause.IN_USE,
        r"""
        in use|duplicate (?:log|session|connection)|already (?:open|locked|logged|connected|active|being)
        being (?:used|accessed)|lock(?:ed)? by|is (?:\w+ )?locked|lock busy|is busy
        able to (?:get |obtain |acquire )?(?:a |the |an )?(?:exclusive )?lock
        (?:another|other) (?:\w+ )?(?:session|client|connection|process|instance)
        (?:mailbox|maildrop|mail drop|spool).{0,20}lock|lock.{0,20}(?:mailbox|maildrop|mail drop|spool)
        (?:get|obtain|acquire|fail\w*) (?:\w+ ){0,3}lock
        bereits (?:geöffnet|angemeldet|in (?:benutzung|gebrauch)|verwendet|eingeloggt)
        wird (?:bereits|gerade) (?:verwendet|benutzt)|in benutzung|postfach .{0,20}gesperrt|正在使用|正被使用
        已被(?:锁定|占用)|重复登录|重複登錄|已(?:经)?登录|使用中|ロックされ
        уже (?:используется|открыт|заблокирован)|используется|заблокирован друг
        déjà (?:utilis|ouvert|verrouill|connect)|en cours d.utilisation|verrouill|en uso
        ya (?:está |se encuentra )?(?:abiert|bloquead|conectad)
        заблокирован друг|друг(?:ой|им|ая) (?:сесси|программ|клиент|пользовател)|ящик .{0,20}заблокир
        邮箱.{0,6}(?:锁定|占用)|正在被使用|(?:can.?t|cannot|could not|unable to) lock|autre session|par un autre
        otra sesión|buzón .{0,10}bloquead
        """,
    ),
    (
        Cause.DISK_FULL,
        r"""
        no space left|disk (?:is )?full|out of (?:disk )?space|insufficient (?:disk|storage|system)
        file ?system (?:is )?full|(?:festplatte|platte|datenträger|speicher)\w* (?:ist )?voll
        (?:磁盘|磁碟|空间).{0,6}(?:满|滿|不足)|ディスク.{0,10}(?:容量|いっぱい|フル)
        диск .{0,20}(?:переполнен|заполнен)|нет места|disque .{0,10}plein|disco .{0,10}lleno|sin espacio
        out of disk|no (?:disk )?space|speicherplatz|espacio (?:en disco )?insuficiente|закончилось место
        """,
    ),
    (
        Cause.MAINTENANCE,
        r"""
        maintenance|wartung|shutting ?down|going down|restart|being (?:upgraded|migrated|moved)|维护|維護|升级
        メンテナンス|保守|обслуживани|технически\w+ работ|manten(?:imiento|ción)
        """,
    ),
    # qmail, qpopper, Courier, hMailServer: "Server error: Failed to fetch messages in Inbox".
    (
        Cause.BROKEN,
        r"""
        corrupt|damaged|inconsisten|(?:invalid|bad) (?:mailbox|mail ?box|mbox) format|no \$?home/maildir
        beschädigt|损坏|損壞|破損|壊れ|поврежд|endommag|dañad
        (?:can.?t|cannot|can not|could ?n.t|could not|unable to|fail\w* to) (?:\w+ ){0,2}(?:open|read|access|fetch)
        (?:can.?t|cannot|can not|could ?n.t|could not|unable to|fail\w* to) (?:\w+ ){0,2}(?:scan|load|sync|stat|parse)
        (?:can.?t|cannot|can not|could ?n.t|could not|unable to|fail\w* to) (?:\w+ ){0,2}(?:process|chdir|mount|find)
        error (?:\w+ ){0,2}(?:open|read|access|fetch|scan|load|sync|stat|pars|process)\w*
        (?:postfach|mailbox|briefkasten).{0,40}(?:nicht (?:öffnen|geöffnet|lesen|gelesen))
        (?:无法|不能|無法).{0,4}(?:打开|读取|開啟).{0,4}(?:邮箱|郵箱|信箱)
        メールボックス.{0,8}(?:開け|読め|読み込め)|не (?:удалось|удаётся|могу) открыть .{0,10}ящик
        impossible d.ouvrir .{0,20}boîte|no se puede abrir .{0,20}buzón
        """,
    ),
    (
        Cause.BARRED,
        r"""
        \b(?:ip|address|host|client|country)\b.{0,40}(?:blocked|banned|black ?list|denied|not allowed|rejected|refused)
        black ?listed|(?:blocked|banned) .{0,20}\b(?:ip|address|host)\b
        """,
    ),
    (
        Cause.TEMPORARY,
        r"""
        temporar|try (?:it )?(?:\w+ )?(?:again|later)|(?:again|come back) later|unavailable|not available
        overload|internal (?:\w+ )?error|server (?:error|fail|down)|system (?:error|fail)|i/o error
        timed? ?-?out|timeout|out of memory|no resources
        (?:connection|connect) (?:\S+ ){0,4}(?:failed|refused|lost|reset)|(?:failed|unable) to connect
        can.?t (?:fork|connect)|\bbusy\b|später|vorübergehend|zeitweise|nicht (?:verfügbar|erreichbar)|störung
        interner fehler|serverfehler|überlastet|ausgelastet|稍后|稍後
        (?:系统|服务器|系統|伺服器)(?:错误|异常|錯誤|異常)|暂时|暫時|不可用|繁忙|しばらく|一時的|後(?:で|ほど)
        再試行|時間をおいて|混雑|混み合|障害|サーバー?エラー|временно|позже|позднее|недоступ|внутренн\w+ ошибк
        ошибка сервера|перегруж|temporaire|réessay|plus tard|indisponible|erreur (?:interne|du serveur)|surcharg
        temporal|más tarde|no (?:está )?disponible|inténtelo|vuelva a intentar|error (?:interno|del servidor)
        sobrecarg
        """,
    ),
    (
        Cause.LIMIT,
        r"""
        \blimit|exceed|\bquota\b|\brate\b|überschritten|superad|dépass|超过|超出|過多|过多|上限|превыш|лимит|límite
        """,
    ),
)
"""Each line of a row is one or more patterns; the case of letters does not count."""


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Compile a row when it is first asked for: all of them take 20 ms, and most runs see no refusal."""
    return re.compile("|".join(line.strip() for line in words.split("\n") if line.strip()), re.IGNORECASE)


_NAMES_CREDENTIALS: Final = (
    r"user|log ?-?in|log ?-?on|logged|sign ?-?(?:in|on)|auth|account|access|permission|permitted|not allowed"
    r"|no (?:such )?mail|mail ?(?:box|drop).{0,20}(?:not (?:found|exist)|does not|unknown)"
    r"|benutzer|anmeld|einlog|konto|zugriff|zugang|berechtig"
    r"|登录|登錄|登入|登陆|用户|用戶|帐号|账号|帳號|帐户|账户|验证|驗證|認証|ログイン|ユーザ|アカウント"
    r"|пользовател|логин|войти|вход|авториз|аутентиф|учетн|учётн|доступ"
    r"|utilisateur|connexion|identif|compte|accès|usuario|autentic|acceso|sesión|cuenta"
)
_SAYS_SOMETHING: Final = re.compile(r"[^\W\d_]{3,}")
_CODE: Final = re.compile(r"\[[^\]]{1,250}\]")
_A_PLAIN_NO: Final = re.compile(
    r"(?:err(?:or)?|fail(?:ed|ure)?|denied|refused|rejected|invalid|incorrect|wrong|bad|not|the|sorry|command|pass"
    r"|fehler|falsch|ungültig)\Z"
)

_READ: Final = 500
"""Characters of a refusal that are read: no server needs more to say why."""


def cause_of(text: str, among: Collection[Cause] = tuple(Cause)) -> Cause | None:
    """Return what a server's words mean, None if they are not known; only causes ``among`` these are looked for."""
    text = text[:_READ]
    return next((cause for cause, words in _ROWS if cause in among and _pattern(words).search(text)), None)


def names_credentials(text: str) -> bool:
    """Say whether words that mean nothing known speak of a user, a log-in or an account."""
    return _pattern(_NAMES_CREDENTIALS).search(_CODE.sub(" ", text[:_READ])) is not None


def says_why(text: str) -> bool:
    """Say whether the words are more than a plain no."""
    words = _SAYS_SOMETHING.findall(_CODE.sub(" ", text[:_READ]).lower())
    return not all(map(_A_PLAIN_NO.match, words))


_DURATION: Final = (
    r"(\d{1,6})[ -]?(?:(?P<second>s\b|sec|sek|秒|сек|seg)|(?P<minute>min|分|мин)"
    r"|(?P<hour>h\b|hour|stunde|小时|時間|час|heure|hora))"
)
_SECONDS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


def duration_in(text: str) -> float | None:
    """Return how many seconds a server's words name, None if they name none."""
    found = _pattern(_DURATION).search(text[:_READ])
    return float(found[1]) * _SECONDS[found.lastgroup or "second"] if found else None
