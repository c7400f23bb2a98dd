"""What a store or its SDK says, as errors of ours. Exceptions in, ``FerryError`` out; no key stands in any word."""

from __future__ import annotations

from typing import NamedTuple

from migrator.destinations.s3.settings import S3Settings
from migrator.errors import Advice, FerryError, Kind, Scope, printable
from migrator.findings.catalogue import BY_ID
from migrator.net.failures import line_error, silence

_TOO_BUSY = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"})
_PASSING = frozenset({429, 500, 502, 503, 504})  # 501 is for good: the store cannot do that
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity"})
_KEYS_REFUSED = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired"}
)
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
_NEEDS = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:AbortMultipartUpload"


class Answer(NamedTuple):
    """What a store said instead of doing as it was asked."""

    code: str
    status: int
    words: str


class StoreError(FerryError):
    """A request that the store refused, with what it said."""

    def __init__(  # keywords, each of which has a default
        self,
        answer: Answer,
        kind: Kind,
        message: str,
        *,
        cure: str,
        finding: str = "",
        advice: Advice = Advice.LATER,
    ) -> None:
        super().__init__(
            kind, message, server_words=answer.words, cure=cure, finding=finding, scope=Scope.ACCOUNT, advice=advice
        )
        self.answer = answer

    @property
    def is_absent(self) -> bool:
        """Whether there is no object of that name, though there is a bucket."""
        return self.answer.code in _ABSENT

    @property
    def is_there_already(self) -> bool:
        """Whether an object of that name stands there, or is just being made (RFC 9110, section 15.5.13)."""
        return self.answer.status == 412 or self.answer.code == "ConditionalRequestConflict"

    @property
    def is_beyond_the_end(self) -> bool:
        """Whether the object ends before the range that was asked for."""
        return self.answer.status == 416

    @property
    def may_be_the_condition(self) -> bool:
        """Whether the store may only have refused the header ``If-None-Match``, which it does not know."""
        return self.answer.status in (400, 501) and self.answer.code not in _KEYS_REFUSED


def refused(settings: S3Settings, answer: Answer) -> StoreError:
    """Return the error that a store's answer is."""
    error = _refused(settings, answer)
    error.blame(settings.server)
    return error


def _refused(settings: S3Settings, answer: Answer) -> StoreError:
    at = settings.label
    code = answer.code
    if code in {"RequestTimeTooSkewed", "RequestExpired"}:
        message = f"the clock of this machine is not that of {at}: it takes no request from so far away in time"
        cure = "set the clock of this machine (timedatectl set-ntp true)"
        return StoreError(answer, Kind.REFUSED, message, cure=cure, finding="clock-skew")
    if code == "NoSuchBucket":
        message = f"there is no bucket {settings.bucket} at {settings.server}"
        return StoreError(answer, Kind.ARCHIVE, message, cure=BY_ID["bucket-missing"].cure, finding="bucket-missing")
    if code in _KEYS_REFUSED:
        message = f"{at} refuses the keys ({code})"
        if settings.keys:
            cure = "correct access_key_id and secret_access_key"
            return StoreError(answer, Kind.AUTH, message, cure=cure, finding="auth-refused", advice=Advice.NEVER)
        cure = "renew what the SDK signs in with: its variables, its files, or the machine's role"
        return StoreError(answer, Kind.AUTH, message, cure=cure, finding="auth-refused")
    if code in _FULL or answer.status == 507:
        return StoreError(
            answer, Kind.QUOTA, f"{at} takes no more ({code})", cure="make room there, or raise its quota"
        )
    if code in {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}:
        return StoreError(
            answer, Kind.REFUSED, f"{at} is in another region ({code})", cure=_REGION_CURE, finding="refused"
        )
    if answer.status == 403 or code == "AccessDenied":
        cure = f"allow the keys {_NEEDS} for this bucket and prefix"
        return StoreError(answer, Kind.REFUSED, f"{at} denies access ({code})", cure=cure, finding="refused")
    if code == "InvalidObjectState":
        cure = "restore it from the cold storage class; keep lifecycle rules from moving the archive there"
        return StoreError(answer, Kind.REFUSED, f"an object of {at} can not be read at once", cure=cure)
    if answer.status in _PASSING or code in _TOO_BUSY:
        cure = "the next run tries again"
        return StoreError(answer, Kind.TEMPORARY, f"{at} cannot serve just now ({code})", cure=cure)
    return StoreError(answer, Kind.REFUSED, f"{at} refuses a request ({code})", cure="", finding="refused")


_REGION_CURE = "write region as the bucket has it, and endpoint as its store is called"


def translated(settings: S3Settings, error: Exception, secrets: tuple[bytes, ...]) -> FerryError:
    """Return what an exception of the SDK (``botocore.exceptions``) is; what is none of its kinds is raised again."""
    from botocore import exceptions

    match error:
        case exceptions.ClientError():
            failure: FerryError = refused(settings, _answer_of(error.response, secrets))
        case exceptions.NoCredentialsError() | exceptions.PartialCredentialsError():
            failure = _unsigned(settings)
        case exceptions.NoRegionError():
            failure = FerryError(Kind.AUTH, f"no region is known for {settings.label}", cure='write region = "…"')
        case exceptions.ConnectTimeoutError() | exceptions.ReadTimeoutError():
            failure = silence(settings.timeout, what=f"{settings.server} was silent")
        case exceptions.CredentialRetrievalError() | exceptions.ProfileNotFound() | exceptions.TokenRetrievalError():
            failure = _unsigned(settings)
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            failure = _line(settings, error)
        case exceptions.IncompleteReadError() | exceptions.ResponseStreamingError() | exceptions.BotoCoreError():
            words = printable(str(error).encode(), secrets=secrets)
            failure = FerryError(
                Kind.TEMPORARY, f"{settings.label} broke off: {words}", cure="the next run tries again"
            )
        case RecursionError():  # the SDK follows a redirection that leads to itself without end
            words = f"{settings.server} redirects every request: it is no object store, or the bucket is elsewhere"
            failure = FerryError(Kind.REFUSED, words, cure=_REGION_CURE, scope=Scope.ACCOUNT, finding="refused")
        case _:
            raise error
    failure.__cause__ = None  # it may hold headers, and these what they were signed with
    return failure.blame(settings.server)


def _unsigned(settings: S3Settings) -> FerryError:
    return FerryError(
        Kind.AUTH,
        f"nothing is there to sign requests to {settings.label} with",
        cure="write access_key_id and secret_access_key, or give the machine a role, or the SDK its variables or files",
        advice=Advice.LATER,
        finding="secret-missing",
    )


def _answer_of(response: dict[str, dict[str, object]], secrets: tuple[bytes, ...]) -> Answer:
    said, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    status = about.get("HTTPStatusCode")
    words = printable(str(said.get("Message", "")).encode(), secrets=secrets)
    code = printable(str(said.get("Code", "")).encode(), secrets=secrets, limit=60)
    return Answer(code or "no reason", status if isinstance(status, int) else 0, words)


def _line(settings: S3Settings, error: Exception) -> FerryError:
    """Find what the system said: the SDK wraps it twice and thrice."""
    left: list[object] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop(0)
        if id(one) in seen or not isinstance(one, BaseException):
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and (one.errno is not None or isinstance(one, TimeoutError)):
            return line_error(settings.server, settings.tls, one)
        kwargs = getattr(one, "kwargs", {})
        left += [*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)]
        left += [kwargs.get("error")] if isinstance(kwargs, dict) else []
    return FerryError(
        Kind.CONNECT,
        f"cannot connect to {settings.server}",
        cure="check endpoint, and whether this machine has a network",
        finding="host-unreachable",
    )
