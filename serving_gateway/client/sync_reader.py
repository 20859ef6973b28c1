"""The reader in migration for callers that wait."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

from serving_gateway.client.answers import Value
from serving_gateway.client.migration import Call, Column, Compute, Outcome, Step, Steps, T
from serving_gateway.client.parity import Mode, ParityLedger
from serving_gateway.client.sync_client import FeatureStoreClient

_log = logging.getLogger(__name__)

# From entity ids to values; of an entity that is left out, there is none.
Inline: TypeAlias = Callable[[Sequence[str]], Mapping[str, Value]]


class MigratingReader:
    """
    Reads features as their modes say; may be shared by threads.

    Args:
        store: The client; whoever made it closes it.
        inline: By feature, what computes it; not needed in the last mode.
        mode: Asked of each feature at every call, so that a changed configuration counts at once.
        ledger: Counts how both compare.
        shadow_reads: Most reads in the shadow at a time; what goes beyond is left out, and counted.
    """

    def __init__(
        self,
        store: FeatureStoreClient,
        *,
        inline: Mapping[str, Inline],
        mode: Callable[[str], Mode],
        ledger: ParityLedger | None = None,
        shadow_reads: int = 4,
    ) -> None:
        self._store = store
        self._inline = inline
        self._mode = mode
        self.ledger = ledger or ParityLedger()
        self._places = threading.BoundedSemaphore(shadow_reads)
        self._pool = ThreadPoolExecutor(shadow_reads, thread_name_prefix="feature-shadow")

    def batch_get_features(
        self, entity_ids: Sequence[str], feature_names: Sequence[str]
    ) -> dict[str, dict[str, Value]]:
        """
        Return values as {entity_id: {feature_name: value}}.

        Raises:
            PartialAnswer: Features that are read from the store only were not to be had; it holds
                the values of all others.
            ClientError: The same, if there are no others.
            KeyError: A feature has no inline computation, and its mode needs one.
            Exception: What a computation raises for a feature that is to be had nowhere else.
        """
        modes = {name: self._mode(name) for name in feature_names}
        call = Call(entity_ids, modes, self._inline.keys(), self.ledger)
        computed = self._walk(call.compute())
        if computed:
            self._compare_later(call, computed)
        return call.answer(computed, self._walk(call.read()))

    def close(self) -> None:
        """Wait for the last reads in the shadow. Later calls are answered, but not compared."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _compare_later(self, call: Call, computed: Mapping[str, Column]) -> None:
        if not self._places.acquire(blocking=False):
            call.drop(computed)
            return
        try:
            self._pool.submit(self._compare, call, computed)
        except RuntimeError:  # closed, for good; the caller has its values all the same
            call.drop(computed)

    def _compare(self, call: Call, computed: Mapping[str, Column]) -> None:
        try:
            self._walk(call.compare(computed))
        except Exception:  # noqa: BLE001 - nobody waits who could be told
            _log.exception("not compared")
            call.drop(computed)
        finally:
            self._places.release()

    def _walk(self, steps: Steps[T]) -> T:
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send([self._take(step) for step in wanted])
        except StopIteration as end:
            result: T = end.value
            return result

    def _take(self, step: Step) -> Outcome:
        started = time.perf_counter()
        try:
            columns = self._columns(step)
        except Exception as error:  # noqa: BLE001 - what to do about it depends on the mode
            return Outcome(time.perf_counter() - started, {}, error)
        return Outcome(time.perf_counter() - started, columns)

    def _columns(self, step: Step) -> dict[str, Column]:
        if isinstance(step, Compute):
            return step.columns(self._inline[step.feature_name](step.entity_ids))
        return step.columns(
            self._store.read_batch(step.entity_ids, step.feature_names, metadata=True)
        )
