"""What is to be done, checked in full before anything is touched.

``load`` reads a file, ``config_from_urls`` takes what ``--from`` and ``--to`` say; both give the same frozen
``Config`` or raise ``ConfigError`` with a line for every problem. Reading order: ``model`` (the tables), ``values``
(what a person may write), ``reading``, ``bulk``, ``urls``.
"""

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
from migrator.config.reading import load
from migrator.config.store import S3Destination
from migrator.config.urls import End, config_from_urls, default_state_dir, destination_from_url
from migrator.config.worker import LimitsTable, Metrics, Notify, Pings, Schedule, Smtp, VerifySchedule, WebTable

__all__ = [
    "Account",
    "Auth",
    "Config",
    "Destination",
    "End",
    "FolderDestination",
    "ImapDestination",
    "LimitsTable",
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
    "WebTable",
    "config_from_urls",
    "default_state_dir",
    "destination_from_url",
    "find_config",
    "load",
]
