"""The streams without a page: beats, sources that fail, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from jobs.web.live.streams import STILL_HERE, Streams, Watcher
from migrator.errors import FerryError, Kind


class Quiet:
    """A page on which nothing moves."""

    def seen(self) -> object:
        return 1

    def whole(self) -> Mapping[str, str]:
        return {"light": "good"}

    def moving(self) -> Mapping[str, str]:
        return {}


class Broken(Quiet):
    def whole(self) -> Mapping[str, str]:
        raise FerryError(Kind.INTERNAL, "the ledger is away")


class Defect(Quiet):
    def whole(self) -> Mapping[str, str]:
        raise ZeroDivisionError


def heard(streams: Streams, watcher: Watcher, count: int) -> list[bytes]:
    """Listen until so much was told, or the stream ends."""

    async def listen() -> list[bytes]:
        assert streams.enter(watcher)
        told = []
        async for text in streams.follow(watcher):
            told.append(text)
            if len(told) == count:
                break
        streams.leave(watcher)
        return told

    return asyncio.run(listen())


def test_a_stream_on_which_nothing_happens_beats() -> None:
    first, *told = heard(Streams(tick=0.001, beat=0.01), Watcher("ann", "/", Quiet, lambda: True), 50)
    assert first == b"retry: 5000\n\n"
    [news] = [text for text in told if text != STILL_HERE]
    assert news.endswith(b'data: [["light", "good"]]\n\n')


def test_at_every_beat_it_is_asked_who_may_listen() -> None:
    answers = iter([True, True, True, False])
    told = heard(Streams(tick=0.001, beat=0.01), Watcher("ann", "/", Quiet, lambda: next(answers)), 1000)
    assert next(answers, None) is None
    assert STILL_HERE in told


@pytest.mark.parametrize("source", [Broken, Defect])
def test_a_page_that_cannot_be_made_ends_its_streams_and_says_why(
    source: type[Quiet], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("ERROR", "jobs"):
        told = heard(Streams(tick=0.001, beat=10.0), Watcher("ann", "/", source, lambda: True), 1000)
    assert told == [b"retry: 5000\n\n"]
    assert "web.failed" in caplog.text


def test_after_the_end_nobody_comes_in() -> None:
    streams = Streams()
    streams.close()
    assert not streams.enter(Watcher("ann", "/", Quiet, lambda: True))


@pytest.mark.parametrize(
    "stamp", ["", "5", "-", "x-5", "ORIGIN-", "ORIGIN--1", "ORIGIN-²", "ORIGIN-1e3", "ORIGIN-" + "9" * 19]
)
def test_an_id_that_this_worker_did_not_give_means_that_nothing_is_known(stamp: str) -> None:
    streams = Streams()
    origin = streams.stamp.partition("-")[0]
    assert streams.number_of(stamp.replace("ORIGIN", origin)) == 0
    assert streams.number_of(f"{origin}-7") == 7
