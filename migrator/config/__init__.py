"""What is to be done, checked in full before anything is touched.

``load`` reads a file, ``urls.config_from_urls`` takes what ``--from`` and ``--to`` say; both give the same frozen
``Config`` or raise ``ConfigError`` with a line for every problem. Reading order: ``model`` (what was read), ``table``,
``server_tables`` and its like (what is checked), ``values`` (what a person may write), ``reading``, ``bulk``, ``urls``.
"""

from migrator.config.loading import load
from migrator.config.locating import find_config
from migrator.config.model import (
    Account,
    Auth,
    Config,
    Destination,
    FolderDestination,
    ImapDestination,
    MaildirDestination,
    MboxDestination,
    Server,
    Source,
)
from migrator.config.store import S3Destination
from migrator.config.worker import Limits, Metrics, Notify, Pings, Schedule, Smtp, VerifySchedule, Web

__all__ = [
    "Account",
    "Auth",
    "Config",
    "Destination",
    "FolderDestination",
    "ImapDestination",
    "Limits",
    "MaildirDestination",
    "MboxDestination",
    "Metrics",
    "Notify",
    "Pings",
    "S3Destination",
    "Schedule",
    "Server",
    "Smtp",
    "Source",
    "VerifySchedule",
    "Web",
    "find_config",
    "load",
]
