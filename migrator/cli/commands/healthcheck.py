"""``mailferry healthcheck``: ask the running worker how it is, for containers; by a file, so no port is needed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from migrator.cli.context import configuration_in_files
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Say how the worker is; a degraded one (a wrong password, a dead host) is healthy: no restart would help."""
    from jobs.monitoring.health import HealthVerdict, read

    health = read(configuration_in_files(arguments, screen).state_dir, time.time())
    if screen.is_json:
        screen.document(health.as_json())
    screen.result(f"{health.verdict}{f': {health.summary}' if health.summary else ''}")
    for reason in health.reasons:
        screen.result(f"  {reason}")
    return NOT_ALL_DONE if health.verdict is HealthVerdict.UNHEALTHY else DONE
