"""The values of a configuration in a form that JSON can hold, and back.

A password that stands in the configuration is not in it, only where it stands: ``Documents`` find it there again. What
this module does not know is not written at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from importlib import import_module
from pathlib import Path

from migrator.config.problems import Place
from migrator.config.secrets import TextSecret
from migrator.lazy_dataclasses import fields, is_dataclass

_MODULES = {
    "migrator.config.model": "Account Auth Config ImapDestination MaildirDestination MboxDestination Source",
    "migrator.config.oauth_secret": "OAuthSecret",
    "migrator.config.openid": "OpenId",
    "migrator.config.problems": "Place",
    "migrator.config.secrets": "CommandSecret CredentialSecret EnvironmentSecret FileSecret KeyringSecret",
    "migrator.config.store": "S3Destination",
    "migrator.config.vault_key": "KeyPlaces",
    "migrator.config.vault_secret": "VaultSecret",
    "migrator.config.worker": "Limits Metrics Notify Pings Schedule Smtp VerifySchedule Web",
    "migrator.model": "Proof",
    "migrator.net.tls": "TlsMode",
    "migrator.oauth.provider": "Endpoints Grant Provider",
    "migrator.policy": "DeleteAfter DeleteWhenVerified Keep SourceProof WhenCopyIsGone",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

Step = str | int
Documents = Sequence[tuple[str, Callable[[], object]]]
"""The texts that a configuration was read from, each with what it says as TOML, made when it is asked for."""


class UnknownValueError(Exception):
    """A value has no such form, or a form gives no value."""


def form_of(value: object, documents: Documents) -> object:
    """Return the form of a value; raises ``UnknownValueError``."""
    match value:
        case Enum():
            return ["enum", _known(value), value.value]
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return ["path", str(value)]
        case timedelta():
            return ["time", value.days, value.seconds, value.microseconds]
        case tuple():
            return ["tuple", *(form_of(one, documents) for one in value)]
        case frozenset():
            return ["set", *sorted(map(str, value))]
        case dict():
            return ["dict", {str(key): form_of(one, documents) for key, one in value.items()}]
        case TextSecret(str() as password, None):
            return ["password", *_found(password, documents)]
        case _:
            return ["value", _known(value), _form_of_fields(value, documents)]


def value_of(form: object, documents: Documents) -> object:
    """Return the value that a form was made of; raises ``UnknownValueError``."""
    match form:
        case None | bool() | int() | float() | str():
            return form
        case ["path", str(path)]:
            return Path(path)
        case ["time", int(days), int(seconds), int(microseconds)]:
            return timedelta(days, seconds, microseconds)
        case ["tuple", *ones]:
            return tuple(value_of(one, documents) for one in ones)
        case ["set", *ones]:
            return frozenset(ones)
        case ["dict", dict(ones)]:
            return {key: value_of(one, documents) for key, one in ones.items()}
        case ["password", int(number), *steps]:
            return TextSecret(_at(documents[number][1](), steps))
        case _:
            return _made(form, documents)


def _made(form: object, documents: Documents) -> object:
    match form:
        case ["enum", str(name), str(value)]:
            return _kind(name)(value)
        case ["value", str(name), dict(ones)]:
            own = {str(key): value_of(one, documents) for key, one in ones.items()}
            if name == Place.__name__ and isinstance(number := own.get("text"), int):
                own["text"] = documents[number][0]
            return _kind(name)(**own)
        case _:
            raise UnknownValueError(repr(form))


def _form_of_fields(value: object, documents: Documents) -> dict[str, object]:
    """Return the fields of a dataclass; the text of a whole file is the number of its document."""
    if not is_dataclass(value):
        raise UnknownValueError(type(value).__name__)
    form = {field.name: getattr(value, field.name) for field in fields(value)}
    texts = [text for text, _ in documents]
    if isinstance(value, Place) and value.text in texts:
        form["text"] = texts.index(value.text)
    return {name: form_of(one, documents) for name, one in form.items()}


def _known(value: object) -> str:
    name = type(value).__name__
    if _MODULE_OF.get(name) != type(value).__module__:
        raise UnknownValueError(name)
    return name


def _kind(name: str) -> Callable[..., object]:
    if name not in _MODULE_OF:
        raise UnknownValueError(name)
    kind: Callable[..., object] = getattr(import_module(_MODULE_OF[name]), name)
    return kind


def _found(password: str, documents: Documents) -> list[Step]:
    """Return which document has this password, and the steps that lead to it."""
    for number, (_, document) in enumerate(documents):
        if (steps := _way(password, document())) is not None:
            return [number, *steps]
    raise UnknownValueError("a password that stands nowhere")


def _way(text: str, document: object) -> list[Step] | None:
    inner: Mapping[Step, object]
    match document:
        case str():
            return [] if document == text else None
        case dict():
            inner = document
        case list():
            inner = dict(enumerate(document))
        case _:
            return None
    for step, value in inner.items():
        if (way := _way(text, value)) is not None:
            return [step, *way]
    return None


def _at(document: object, steps: Sequence[object]) -> str:
    for step in steps:
        match document, step:
            case dict(), str():
                document = document[step]
            case list(), int():
                document = document[step]
            case _:
                raise UnknownValueError("a way that leads nowhere")
    if not isinstance(document, str):
        raise UnknownValueError("a password that is no text")
    return document
