"""Reading ahead with several readers."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from feature_repo.history.reading_ahead import Readers


class _Source:
    """Opens readers, which are numbers, and remembers which are open."""

    def __init__(self) -> None:
        self.opened: list[int] = []
        self.open: set[int] = set()

    @contextlib.contextmanager
    def open_another(self) -> Iterator[int]:
        """Open the next reader; the first, 0, is there already."""
        number = len(self.opened) + 1
        self.opened.append(number)
        self.open.add(number)
        yield number
        self.open.remove(number)


def test_results_come_in_order() -> None:
    """Each reader reads one thing at a time, and those that were opened are closed."""
    source, busy = _Source(), {number: threading.Lock() for number in range(3)}

    def read(reader: int, number: int) -> int:
        assert busy[reader].acquire(blocking=False)
        busy[reader].release()
        return number

    tasks = [lambda reader, number=number: read(reader, number) for number in range(50)]
    with (
        Readers(0, source.open_another, count=3) as readers,
        readers.read_ahead(tasks) as results,
    ):
        assert list(results) == list(range(50))
    assert source.opened in ([], [1], [1, 2])
    assert not source.open


def test_one_task_needs_no_other_reader() -> None:
    """What is not needed is not opened."""
    source = _Source()
    with Readers(0, source.open_another, count=2) as readers:
        assert readers.read(lambda reader: reader) == 0
        with readers.read_ahead([lambda reader: reader]) as results:
            assert list(results) == [0]
    assert source.opened == []


def test_several_are_read_at_a_time() -> None:
    """Two tasks that wait for each other both end."""
    source, meeting = _Source(), threading.Barrier(2)
    tasks = [lambda reader: (meeting.wait(), reader)[1]] * 2
    with (
        Readers(0, source.open_another, count=2) as readers,
        readers.read_ahead(tasks) as results,
    ):
        assert sorted(results) == [0, 1]


def test_readers_stay_open_until_nobody_reads() -> None:
    """Whoever gives up waits for what is being read, and nothing more is begun."""
    source, given_up, reading = _Source(), threading.Event(), threading.Event()
    begun, ended = [], []

    def fail(_: int) -> None:
        reading.wait()
        raise ValueError("a task failed")

    def read(reader: int) -> None:
        begun.append(reader)
        reading.set()
        given_up.wait()
        assert reader == 0 or reader in source.open
        ended.append(reader)

    def read_all() -> None:
        with (
            Readers(0, source.open_another, count=2) as readers,
            readers.read_ahead([fail, read, read, read, read]) as results,
        ):
            try:
                next(results)
            finally:
                given_up.set()

    with pytest.raises(ValueError, match="a task failed"):
        read_all()
    assert sorted(begun) == sorted(ended)
    assert not source.open


def test_a_reader_that_could_not_be_opened_may_be_tried_again() -> None:
    """The error is the task's."""
    source, failures = _Source(), [OSError("refused")]

    def open_another() -> contextlib.AbstractContextManager[int]:
        if failures:
            raise failures.pop()
        return source.open_another()

    with Readers(0, open_another, count=2) as readers:

        def occupy(_: int) -> int:
            with pytest.raises(OSError, match="refused"):
                readers.read(lambda reader: reader)
            return readers.read(lambda reader: reader)

        assert readers.read(occupy) == 1
