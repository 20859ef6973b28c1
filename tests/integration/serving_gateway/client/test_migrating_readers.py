"""Both readers in migration, against a gateway that answers over HTTP as it is told."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import numpy as np
import pytest

from serving_gateway.client import (
    AsyncFeatureStoreClient,
    AsyncMigratingReader,
    ClientSettings,
    FeatureStoreClient,
    GatewayUnavailable,
    MigratingReader,
    Mode,
    ParityLedger,
    PartialAnswer,
)
from serving_gateway.client.answers import Value

ONCE = ClientSettings(budget_seconds=20.0, attempts=1)
DEFAULT = 0.1

Values = Mapping[str, Value]
Inline = Callable[[Sequence[str]], Values]


class Gateway(ThreadingHTTPServer):
    """
    Answers batches.

    Attributes:
        values: By feature, then by entity; others are unknown, or missing.
        status: Of all answers.
        body: What is answered instead of values.
        open: Unset, answers wait for it.
        asked: Features of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.values: dict[str, dict[str, Value]] = {}
        self.status = 200
        self.body: bytes | None = None
        self.open = threading.Event()
        self.open.set()
        self.asked: list[list[str]] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, entity_ids: Sequence[str], names: Sequence[str]) -> tuple[int, bytes]:
        """Return status and body."""
        self.asked.append(list(names))
        self.open.wait(timeout=20)
        if self.status != 200 or self.body is not None:
            return self.status, self.body or b'{"detail": "out of order"}'
        unknown = set(names) - self.values.keys()
        if unknown:
            return 404, json.dumps({"detail": f"unknown: {unknown}"}).encode()
        return 200, json.dumps(self._found(entity_ids, names)).encode()

    def _found(self, entity_ids: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
        origin = {
            "served_from": "online",
            "version": "1.0.0",
            "event_timestamp": None,
            "staleness_seconds": None,
        }
        return {
            "values": {e: {n: self.values[n].get(e, DEFAULT) for n in names} for e in entity_ids},
            "metadata": {
                e: {
                    n: {**origin, "status": "PRESENT" if e in self.values[n] else "NOT_FOUND"}
                    for n in names
                }
                for e in entity_ids
            },
            "versions": dict.fromkeys(names, "1.0.0"),
            "counts": {},
            "stale": 0,
            "degraded": False,
            "experiments": {},
        }


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, body = self.server.answer(asked["entity_ids"], asked["feature_names"])
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Reader(Protocol):
    """What both readers do, to be awaited."""

    async def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Value]]:
        """Return values."""

    async def close(self) -> None:
        """Wait for the shadows."""

    async def close_client(self) -> None:
        """Close the connections under it."""


class _Waiting:
    def __init__(self, reader: MigratingReader, store: FeatureStoreClient) -> None:
        self._reader, self._store = reader, store

    async def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str]
    ) -> Mapping[str, Mapping[str, Value]]:
        return await asyncio.to_thread(self._reader.batch_get_features, entity_ids, feature_names)

    async def close(self) -> None:
        await asyncio.to_thread(self._reader.close)

    async def close_client(self) -> None:
        self._store.close()


class _Awaiting:
    def __init__(self, reader: AsyncMigratingReader, store: AsyncFeatureStoreClient) -> None:
        self._store = store
        self.batch_get_features = reader.batch_get_features
        self.close = reader.close

    async def close_client(self) -> None:
        await self._store.close()


Modes = Mapping[str, Mode]
Open = Callable[..., AbstractAsyncContextManager[Reader]]


@contextlib.asynccontextmanager
async def _open_waiting(
    url: str, inline: Mapping[str, Inline], modes: Modes, ledger: ParityLedger, shadow_reads: int
) -> AsyncIterator[Reader]:
    with (
        FeatureStoreClient(url, settings=ONCE) as store,
        MigratingReader(
            store,
            inline=inline,
            mode=modes.__getitem__,
            ledger=ledger,
            shadow_reads=shadow_reads,
        ) as reader,
    ):
        yield _Waiting(reader, store)


@contextlib.asynccontextmanager
async def _open_awaiting(
    url: str, inline: Mapping[str, Inline], modes: Modes, ledger: ParityLedger, shadow_reads: int
) -> AsyncIterator[Reader]:
    def awaited(compute: Inline) -> Any:  # noqa: ANN401 - what the reader takes
        async def computed(entity_ids: Sequence[str]) -> Values:
            return compute(entity_ids)

        return computed

    async with (
        AsyncFeatureStoreClient(url, settings=ONCE) as store,
        AsyncMigratingReader(
            store,
            inline={name: awaited(compute) for name, compute in inline.items()},
            mode=modes.__getitem__,
            ledger=ledger,
            shadow_reads=shadow_reads,
        ) as reader,
    ):
        yield _Awaiting(reader, store)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Yield a gateway that runs."""
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.open.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ledger() -> ParityLedger:
    """Return an empty ledger."""
    return ParityLedger()


@pytest.fixture(params=[_open_waiting, _open_awaiting], ids=["waiting", "awaiting"])
def open_reader(request: pytest.FixtureRequest, gateway: Gateway, ledger: ParityLedger) -> Open:
    """Return what opens a reader of that gateway: inline functions, modes."""

    def opened(
        inline: Mapping[str, Inline], modes: Modes, *, shadow_reads: int = 4
    ) -> AbstractAsyncContextManager[Reader]:
        opening: AbstractAsyncContextManager[Reader] = request.param(
            gateway.url, inline, modes, ledger, shadow_reads
        )
        return opening

    return opened


def _constant(**values: Value) -> Inline:
    return lambda entity_ids: {e: values[e] for e in entity_ids if e in values}


def _broken(_: Sequence[str]) -> Values:
    raise ZeroDivisionError


def _counts(ledger: ParityLedger, feature_name: str, mode: Mode) -> dict[str, Any]:
    [counts] = [
        record
        for record in ledger.snapshot()
        if (record["feature"], record["mode"]) == (feature_name, mode)
    ]
    return counts


async def test_inline_is_answered_and_the_store_compared(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """What only one of them has counts, too."""
    gateway.values["f"] = {"a": 1.0, "b": 101.0, "d": 5.0}
    inline = {"f": _constant(a=1.0, b=100.0, c=3.0)}
    async with open_reader(inline, {"f": Mode.INLINE}) as reader:
        values = await reader.batch_get_features(["a", "b", "c", "d"], ["f"])
    assert values == {"a": {"f": 1.0}, "b": {"f": 100.0}, "c": {"f": 3.0}, "d": {"f": None}}
    counts = _counts(ledger, "f", Mode.INLINE)
    assert (counts["compared"], counts["matched"]) == (2, 1)
    assert (counts["only_inline"], counts["only_store"]) == (1, 1)
    assert counts["absolute_difference"] == 1.0
    assert counts["relative_difference"] == pytest.approx(1 / 101)
    assert (counts["store_reads"], counts["store_values"], counts["store_missing"]) == (1, 4, 1)
    assert (counts["inline_computations"], counts["inline_values"]) == (1, 3)
    assert counts["dropped"] == 0


async def test_too_many_shadows_are_left_out(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """And when one has ended, the next may start."""
    gateway.values["f"] = {"a": 1.0}
    gateway.open.clear()
    async with open_reader({"f": _constant(a=1.0)}, {"f": Mode.INLINE}, shadow_reads=1) as reader:
        for _ in range(3):
            assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": 1.0}}
        assert _counts(ledger, "f", Mode.INLINE)["dropped"] == 2
        gateway.open.set()
        while _counts(ledger, "f", Mode.INLINE)["compared"] < 2:
            await reader.batch_get_features(["a"], ["f"])
            assert _counts(ledger, "f", Mode.INLINE)["dropped"] < 2_000, "none starts any more"
            await asyncio.sleep(0.001)


async def test_a_closed_reader_answers(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """Only comparisons are left out, and counted."""
    gateway.values["f"] = {"a": 1.0}
    async with open_reader({"f": _constant(a=1.0)}, {"f": Mode.INLINE}, shadow_reads=1) as reader:
        await reader.close()
        for _ in range(2):
            assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": 1.0}}
    counts = _counts(ledger, "f", Mode.INLINE)
    assert (counts["dropped"], counts["store_reads"]) == (2, 0)


@pytest.mark.parametrize(("status", "body"), [(503, None), (200, b"{}"), (200, b"no JSON")])
async def test_a_shadow_that_fails_is_counted(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger, status: int, body: bytes | None
) -> None:
    """Whatever the gateway says."""
    gateway.status, gateway.body = status, body
    async with open_reader({"f": _constant(a=1.0)}, {"f": Mode.INLINE}) as reader:
        assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": 1.0}}
    counts = _counts(ledger, "f", Mode.INLINE)
    assert (counts["store_reads"], counts["store_failures"], counts["compared"]) == (1, 1, 0)


async def test_a_comparison_that_fails_is_counted(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """An inline function that returns what it must not is no reason to fall silent."""
    gateway.values["f"] = {"a": [1.0, 2.0]}
    inline: dict[str, Any] = {"f": lambda _: {"a": np.array([1.0, 2.0])}}
    async with open_reader(inline, {"f": Mode.INLINE}) as reader:
        await reader.batch_get_features(["a"], ["f"])
    counts = _counts(ledger, "f", Mode.INLINE)
    assert (counts["dropped"], counts["compared"]) == (1, 0)


async def test_a_failing_computation_is_the_callers(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """As long as it is what is served."""
    gateway.values["f"] = {"a": 1.0}
    async with open_reader({"f": _broken}, {"f": Mode.INLINE}) as reader:
        with pytest.raises(ZeroDivisionError):
            await reader.batch_get_features(["a"], ["f"])
    counts = _counts(ledger, "f", Mode.INLINE)
    assert (counts["inline_computations"], counts["inline_failures"]) == (1, 1)
    assert (counts["inline_values"], counts["inline_p95_ms"]) == (0, None)


async def test_what_the_store_lacks_is_computed(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """In the mode `store`, and only that."""
    gateway.values |= {"f": {"a": 1.0}, "g": {"a": 2.0}}
    modes = {"f": Mode.STORE, "g": Mode.STORE_ONLY}
    async with open_reader({"f": _constant(a=7.0, b=8.0)}, modes) as reader:
        values = await reader.batch_get_features(["a", "b"], ["f", "g"])
    assert values == {"a": {"f": 1.0, "g": 2.0}, "b": {"f": 8.0, "g": DEFAULT}}
    assert gateway.asked == [["f", "g"]]
    counts = _counts(ledger, "f", Mode.STORE)
    assert (counts["store_values"], counts["store_missing"], counts["inline_values"]) == (2, 1, 1)


async def test_what_cant_be_computed_keeps_its_default(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """And what the store has is not lost."""
    gateway.values["f"] = {"a": 1.0}
    async with open_reader({"f": _broken}, {"f": Mode.STORE}) as reader:
        values = await reader.batch_get_features(["a", "b"], ["f"])
    assert values == {"a": {"f": 1.0}, "b": {"f": DEFAULT}}
    assert _counts(ledger, "f", Mode.STORE)["inline_failures"] == 1


async def test_a_store_that_is_down_costs_nothing(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """As long as there is inline computation."""
    gateway.status = 503
    async with open_reader({"f": _constant(a=7.0)}, {"f": Mode.STORE}) as reader:
        assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": 7.0}}
        await reader.close_client()  # which is no error of the gateway's, but of the service
        assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": 7.0}}
    assert _counts(ledger, "f", Mode.STORE)["store_failures"] == 2


async def test_neither_store_nor_computation(open_reader: Open, gateway: Gateway) -> None:
    """The caller is told of both."""
    gateway.status = 503
    async with open_reader({"f": _broken}, {"f": Mode.STORE}) as reader:
        with pytest.raises(ZeroDivisionError) as raised:
            await reader.batch_get_features(["a"], ["f"])
    assert isinstance(raised.value.__cause__, GatewayUnavailable)


async def test_an_unknown_feature_spoils_no_other(
    open_reader: Open, gateway: Gateway, ledger: ParityLedger
) -> None:
    """They are read one by one."""
    gateway.values |= {"f": {"a": 1.0}, "g": {"a": 2.0}}
    modes = dict.fromkeys(("f", "g", "unknown"), Mode.STORE)
    inline = dict.fromkeys(modes, _constant(a=7.0))
    async with open_reader(inline, modes) as reader:
        values = await reader.batch_get_features(["a"], list(modes))
    assert values == {"a": {"f": 1.0, "g": 2.0, "unknown": 7.0}}
    assert sorted(gateway.asked[1:]) == [["f"], ["g"], ["unknown"]]
    failures = {name: _counts(ledger, name, Mode.STORE)["store_failures"] for name in modes}
    assert failures == {"f": 0, "g": 0, "unknown": 1}


async def test_what_was_to_be_had_comes_with_the_error(open_reader: Open, gateway: Gateway) -> None:
    """A feature that is read from the store only takes no other with it."""
    gateway.status = 503
    modes = {"f": Mode.INLINE, "g": Mode.STORE, "h": Mode.STORE_ONLY}
    inline = {"f": _constant(a=1.0), "g": _constant(a=2.0)}
    async with open_reader(inline, modes) as reader:
        with pytest.raises(PartialAnswer, match="h: out of order") as raised:
            await reader.batch_get_features(["a"], list(modes))
        assert raised.value.values == {"a": {"f": 1.0, "g": 2.0}}
        assert isinstance(raised.value.errors["h"], GatewayUnavailable)
        with pytest.raises(GatewayUnavailable):
            await reader.batch_get_features(["a"], ["h"])


async def test_a_mode_without_its_computation(open_reader: Open, gateway: Gateway) -> None:
    """Is a mistake that shows at once, and not at the first miss."""
    gateway.values["f"] = {"a": 1.0}
    async with open_reader({}, {"f": Mode.STORE}) as reader:
        with pytest.raises(KeyError, match="inline computation"):
            await reader.batch_get_features(["a"], ["f"])


async def test_a_changed_mode_counts_at_once(open_reader: Open, gateway: Gateway) -> None:
    """No restart is needed, either way."""
    gateway.values["f"] = {"a": 1.0}
    modes = {"f": Mode.INLINE}
    async with open_reader({"f": _constant(a=7.0)}, modes) as reader:
        for mode, value in ((Mode.INLINE, 7.0), (Mode.STORE, 1.0), (Mode.INLINE, 7.0)):
            modes["f"] = mode
            assert await reader.batch_get_features(["a"], ["f"]) == {"a": {"f": value}}
