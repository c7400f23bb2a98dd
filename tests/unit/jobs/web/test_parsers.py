from __future__ import annotations

import threading

import pytest

from jobs.web.parsers import MOST, Parsers
from migrator.errors import FerryError, Kind
from migrator.parse.process import Parser


def test_a_parser_is_used_again() -> None:
    made: list[Parser] = []

    def make() -> Parser:
        made.append(Parser())
        return made[-1]

    parsers = Parsers(make)
    for _ in range(3):
        with parsers.lent() as parser:
            assert parser.show(b"\r\ntext") is not None
    assert len(made) == 1
    parsers.close()
    with parsers.lent():
        assert len(made) == 2
    parsers.close()


def test_no_more_of_them_work_at_one_time_than_there_are_places() -> None:
    parsers = Parsers(patience=0.01)
    barrier, done = threading.Barrier(MOST + 1), threading.Event()

    def read() -> None:
        with parsers.lent():
            barrier.wait(10)
            done.wait(10)

    threads = [threading.Thread(target=read) for _ in range(MOST)]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    with pytest.raises(FerryError, match="other messages are being read") as caught, parsers.lent():
        pass
    assert caught.value.kind is Kind.TEMPORARY
    done.set()
    for thread in threads:
        thread.join()
    with parsers.lent():
        pass
    parsers.close()


def test_one_that_failed_in_use_gives_its_place_back() -> None:
    parsers = Parsers(patience=0.01)
    for _ in range(MOST + 1):
        with pytest.raises(ZeroDivisionError), parsers.lent():
            raise ZeroDivisionError
    parsers.close()


def test_an_idle_one_ends() -> None:
    ended = threading.Event()

    class Counted(Parser):
        def close(self) -> None:
            super().close()
            ended.set()

    parsers = Parsers(Counted, idle=0.01)
    with parsers.lent():
        pass
    assert ended.wait(10)
