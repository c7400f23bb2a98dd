"""Random histories through the command line, a bounded number of them; ``python -m tests.model`` plays any number."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.histories import history_of, play, play_moments, shrunk
from tests.model.stage import Stage
from tests.servers.postgres import Postgres

SEEDS = range(40)
MOMENTS = range(1_000, 1_005)
DATABASE_SEEDS = range(2_000, 2_012)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest.mark.parametrize("seed", SEEDS)
def test_no_message_is_lost_doubled_deleted_unread_or_wrongly_called_ok(
    seed: int, stage: Stage, tmp_path: Path
) -> None:
    failure = play(history_of(seed), stage, tmp_path)
    if failure is not None:
        pytest.fail(str(shrunk(failure, stage, tmp_path, seconds=20.0)), pytrace=False)
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # every world was taken down


@pytest.fixture(scope="module")
def stage_with_databases(tmp_path_factory: pytest.TempPathFactory, postgres_cluster: Postgres) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage"), postgres_cluster) as running:
        yield running


@pytest.mark.parametrize("seed", DATABASE_SEEDS)
def test_with_the_ledger_in_a_database_the_same_laws_hold(
    seed: int, stage_with_databases: Stage, tmp_path: Path
) -> None:
    failure = play(history_of(seed), stage_with_databases, tmp_path)
    if failure is not None:
        pytest.fail(str(shrunk(failure, stage_with_databases, tmp_path, seconds=20.0)), pytrace=False)


@pytest.mark.parametrize("seed", MOMENTS)
def test_with_the_state_of_any_moment_nothing_is_lost_or_doubled(seed: int, stage: Stage, tmp_path: Path) -> None:
    failure = play_moments(history_of(seed), stage, tmp_path)
    if failure is not None:
        pytest.fail(str(shrunk(failure, stage, tmp_path, seconds=20.0, how=play_moments)), pytrace=False)
