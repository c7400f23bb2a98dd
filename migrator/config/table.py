"""What every table of the configuration is made of: the model they derive from, and the kinds of values.

A relative path starts at the folder that the validation context names; ``~`` is the home folder.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic.functional_validators import PlainValidator

from migrator.config import passwords, values
from migrator.config.secrets import Secret
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """What a table needs to know of its surroundings: where relative paths start, which variables hold passwords."""

    folder: Path
    withheld: frozenset[str] = frozenset()
    tokens: passwords.Tokens | None = None
    """Makes a secret of what stands under ``oauth``; None where that cannot be."""
    kept: passwords.Kept | None = None
    """Makes a secret of what the vault has under a name; None where there is no vault."""

    def path(self, written: str) -> Path:
        """Return the absolute path of one that was written down."""
        if "~" in written:
            return (self.folder / Path(written).expanduser()).absolute()
        return (self.folder / written).absolute()  # once where a sheet has a hundred thousand of them


def _absolute(written: object, info: ValidationInfo) -> Path:
    if not isinstance(written, str) or not written or "\0" in written:
        raise ValueError(f"{values.shown(written)} must be a path")
    return context_of(info).path(written)


def _existing_file(written: object, info: ValidationInfo) -> Path:
    path = _absolute(written, info)
    try:
        is_there = path.is_file()
    except OSError as error:  # a folder on the way that may not be entered, a name that no file can have
        raise ValueError(f"{values.shown(str(path))} cannot be looked at: {error.strerror}") from None
    if not is_there:
        raise ValueError(f"the file {path} is not there")
    return path


def _password(written: object, info: ValidationInfo) -> Secret:
    return _secret(written, info, None)


def _password_or_token(written: object, info: ValidationInfo) -> Secret:
    return _secret(written, info, context_of(info).tokens if not isinstance(written, Secret) else None)


def _secret(written: object, info: ValidationInfo, tokens: passwords.Tokens | None) -> Secret:
    if isinstance(written, Secret):
        return written
    context = context_of(info)
    username = info.data.get("username") or info.data.get("bucket", "")
    return passwords.secret(
        written,
        path=context.path,
        username=username,
        withheld=context.withheld,
        tokens=tokens,
        kept=context.kept,
    )


def context_of(info: ValidationInfo) -> Context:
    """Return the surroundings that a table is validated in."""
    if not isinstance(info.context, Context):
        raise TypeError("a table of the configuration is validated with a Context")
    return info.context


Value_co = TypeVar("Value_co", covariant=True)


class Checking(Protocol[Value_co]):
    """A kind of table by what it says once it is right."""

    @classmethod
    def model_validate(cls, obj: Any, *, context: Any) -> Self:  # noqa: ANN401  # as pydantic has it
        """Check a table; raises pydantic's ``ValidationError``."""

    @classmethod
    def key_names(cls) -> tuple[str, ...]:
        """Return the keys that may stand in the table."""

    def value(self) -> Value_co:
        """Return what the table says."""


FIRST_RELEASE = "0.1.0"
"""Since when a key is understood that does not say otherwise, as ``json_schema_extra={"since": "0.2.0"}``."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a kind of value is called in docs/configuration.md, which says how it is written."""

    name: str


Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Text = Annotated[str, BeforeValidator(values.one_line)]
Host = Annotated[str, BeforeValidator(values.host), Written("host")]
Fingerprint = Annotated[str, BeforeValidator(values.fingerprint), Written("fingerprint")]
Duration = Annotated[timedelta, PlainValidator(values.positive_duration), Written("duration")]
Octets = Annotated[int, PlainValidator(values.size), Written("size")]
Folder = Annotated[Path, PlainValidator(_absolute), Written("path")]
ExistingFile = Annotated[Path, PlainValidator(_existing_file), Written("path")]
SecretValue = Annotated[Secret, PlainValidator(_password), Written("password")]
LoginSecret = Annotated[Secret, PlainValidator(_password_or_token), Written("password")]


class Table(BaseModel):
    """A table of the file: unknown keys and wrong types are errors, and nothing changes once it is read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        defer_build=True,  # most files have few of the tables
    )

    def told(self) -> dict[str, Any]:
        """Return what each key says, an inner table as the value that it is."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value.value() if isinstance(value, Table) else value for name, value in said.items()}

    def value(self) -> object:
        """Return what the table says, as the program knows it."""
        raise NotImplementedError(f"nobody has said what a {type(self).__name__} means")

    @property
    def written(self) -> frozenset[str]:
        """The keys that stand in the table."""
        return frozenset(self.model_fields_set)

    @classmethod
    def key_names(cls) -> tuple[str, ...]:
        """Return the keys that may stand in the table."""
        return tuple(cls.model_fields)
