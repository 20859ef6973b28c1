"""The reader in migration for callers that await."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from serving_gateway.client.answers import Value
from serving_gateway.client.async_client import AsyncFeatureStoreClient
from serving_gateway.client.migration import Call, Column, Compute, Outcome, Step, Steps, T
from serving_gateway.client.parity import Mode, ParityLedger

_log = logging.getLogger(__name__)

# From entity ids to values; of an entity that is left out, there is none.
AsyncInline: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, Value]]]


class AsyncMigratingReader:
    """
    Reads features as their modes say, in one event loop; computes several at one time.

    Args:
        store: The client; whoever made it closes it.
        inline: By feature, what computes it; not needed in the last mode.
        mode: Asked of each feature at every call, so that a changed configuration counts at once.
        ledger: Counts how both compare.
        shadow_reads: Most reads in the shadow at a time; what goes beyond is left out, and counted.
    """

    def __init__(
        self,
        store: AsyncFeatureStoreClient,
        *,
        inline: Mapping[str, AsyncInline],
        mode: Callable[[str], Mode],
        ledger: ParityLedger | None = None,
        shadow_reads: int = 4,
    ) -> None:
        self._store = store
        self._inline = inline
        self._mode = mode
        self.ledger = ledger or ParityLedger()
        self._shadow_reads = shadow_reads
        self._comparisons: set[asyncio.Task[None]] = set()
        self._closed = False

    async def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str]
    ) -> dict[str, dict[str, Value]]:
        """Do what `MigratingReader.batch_get_features` does."""
        modes = {name: self._mode(name) for name in feature_names}
        call = Call(entity_ids, modes, self._inline.keys(), self.ledger)
        computed = await self._walk(call.compute())
        if computed:
            self._compare_later(call, computed)
        return call.answer(computed, await self._walk(call.read()))

    async def close(self) -> None:
        """Wait for the last reads in the shadow. Later calls are answered, but not compared."""
        self._closed = True
        await asyncio.gather(*self._comparisons)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _compare_later(self, call: Call, computed: Mapping[str, Column]) -> None:
        if self._closed or len(self._comparisons) >= self._shadow_reads:
            call.drop(computed)
            return
        task = asyncio.create_task(self._compare(call, computed))
        self._comparisons.add(task)
        task.add_done_callback(self._comparisons.discard)

    async def _compare(self, call: Call, computed: Mapping[str, Column]) -> None:
        try:
            await self._walk(call.compare(computed))
        except Exception:  # noqa: BLE001 - nobody waits who could be told
            _log.exception("not compared")
            call.drop(computed)

    async def _walk(self, steps: Steps[T]) -> T:
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send(await asyncio.gather(*map(self._take, wanted)))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _take(self, step: Step) -> Outcome:
        started = time.perf_counter()
        try:
            columns = await self._columns(step)
        except Exception as error:  # noqa: BLE001 - what to do about it depends on the mode
            return Outcome(time.perf_counter() - started, {}, error)
        return Outcome(time.perf_counter() - started, columns)

    async def _columns(self, step: Step) -> dict[str, Column]:
        if isinstance(step, Compute):
            return step.columns(await self._inline[step.feature_name](step.entity_ids))
        return step.columns(
            await self._store.read_batch(step.entity_ids, step.feature_names, metadata=True)
        )
