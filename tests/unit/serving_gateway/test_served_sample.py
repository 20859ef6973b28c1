"""Answers are kept whole or not at all, and never at the cost of memory."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from feature_repo.registry.gather import gather_features
from feature_repo.training.answers import ServedValue, read_answers
from foundation import clock
from foundation.settings import Settings
from serving_gateway.columns import Column, Found
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import Reading
from serving_gateway.served_sample import ServedSample

[EMBEDDING] = [f for f in gather_features() if f.feature_name == "product_embedding"]
IDS = [f"p{number}" for number in range(1_000)]


def _sample(folder: Path, instruments: Instruments) -> ServedSample:
    settings = Settings(served_sample_share=1.0, served_sample_path=folder)
    return ServedSample(settings, instruments, LogDigest())


def _reading(text: bytes, *, count: int = 1) -> Reading:
    reading = Reading.of([Column(EMBEDDING, IDS[:count])])
    reading.columns[0].take("online", Found([text] * count), now=clock.now())
    return reading


@contextlib.asynccontextmanager
async def _writing(sample: ServedSample) -> AsyncIterator[None]:
    """Let it write in the block, and all that waits at its end."""
    task = asyncio.create_task(sample.journal.run())
    try:
        yield
        await sample.journal.finish()
    finally:
        task.cancel()


def _answers(folder: Path) -> list[ServedValue]:
    return list(read_answers(folder))


def _counted(instruments: Instruments, outcome: str) -> float:
    name = "feature_served_sample_values_total"
    return instruments.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


async def test_what_the_disk_can_not_take_is_dropped(tmp_path: Path) -> None:
    """By its bytes: a vector is as long as thousands of numbers. Later ones are taken again."""
    instruments = Instruments()
    sample = _sample(tmp_path, instruments)
    vectors = _reading(b"[%b0]" % (b"0.123," * 1_500), count=1_000)  # 9 MB
    for _ in range(10):
        sample.offer(vectors)
    assert _counted(instruments, "dropped") == 4_000
    async with _writing(sample):
        await sample.journal.finish()
        sample.offer(_reading(b"[1.0]"))
    assert _counted(instruments, "written") == 6_001
    assert len(_answers(tmp_path)) == 6_001


async def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    """A disk that was full spoils nothing of what comes before and after."""
    instruments = Instruments()
    sample = _sample(tmp_path, instruments)
    async with _writing(sample):
        sample.offer(_reading(b"[1.0]"))
        await sample.journal.finish()
        sample.offer(_reading(b"[%b0]" % (b"0.123," * 20_000)))
        with _files_no_longer_than(50_000):
            await sample.journal.finish()
        sample.offer(_reading(b"[2.0]"))
    assert [answer.value for answer in _answers(tmp_path)] == [[1.0], [2.0]]
    assert _counted(instruments, "failed") == 1


@contextlib.contextmanager
def _files_no_longer_than(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_answers_that_nobody_could_judge_are_left_out(tmp_path: Path) -> None:
    """Those of nobody in particular, and those for an embedding that the caller brought."""
    sample = _sample(tmp_path, Instruments())
    for column in (
        Column(EMBEDDING, [""], is_known=False),
        Column(EMBEDDING, ["p1"], query_embedding=[1.0]),
        Column(EMBEDDING, ["p2"]),
    ):
        reading = Reading.of([column])
        reading.columns[0].fill(b"null")
        async with _writing(sample):
            sample.offer(reading)
    [answer] = _answers(tmp_path)
    assert answer.keys == {"product_id": "p2"}


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_answers_belongs_to_it(tmp_path: Path, share: float) -> None:
    """Of ten thousand, give or take five standard deviations."""
    settings = Settings(served_sample_share=share, served_sample_path=tmp_path)
    sample = ServedSample(settings, Instruments(), LogDigest())
    taken = sum(sample.takes() for _ in range(10_000))
    deviation = (10_000 * share * (1 - share)) ** 0.5
    assert abs(taken - 10_000 * share) <= 5 * deviation
