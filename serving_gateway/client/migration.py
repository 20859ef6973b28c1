"""
From features that a service computes inline to features that it reads, one at a time.

    reader = MigratingReader(store, inline={"popularity_score": compute}, mode=mode_of)
    reader.batch_get_features(product_ids, ["popularity_score"])

`mode_of` says of each feature, at every call, how far it has come; see `Mode`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias

from serving_gateway.client.answers import BatchAnswer, Value
from serving_gateway.client.errors import ClientError
from serving_gateway.client.parity import Mode, ParityLedger
from serving_gateway.client.sync_client import FeatureStoreClient

_log = logging.getLogger(__name__)

# From entity ids to values; of an entity that is left out, there is none.
Inline: TypeAlias = Callable[[Sequence[str]], Mapping[str, Value]]
_NOT_FOUND = "NOT_FOUND"


class MigratingReader:
    """
    Reads features as their modes say.

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
            ClientError: The store does not answer, and a feature is read from it only.
            KeyError: A feature has no inline computation, and its mode needs one.
        """
        modes = {name: self._mode(name) for name in feature_names}
        columns: dict[str, Mapping[str, Value]] = {}
        inline = [name for name, mode in modes.items() if mode is Mode.INLINE]
        for name in inline:
            columns[name] = self._computed(name, Mode.INLINE, entity_ids)
        if inline:
            self._compare_later(entity_ids, {name: columns[name] for name in inline})
        stored = {name: mode for name, mode in modes.items() if mode is not Mode.INLINE}
        if stored:
            columns |= self._stored(entity_ids, stored)
        return {
            entity: {name: columns[name].get(entity) for name in feature_names}
            for entity in entity_ids
        }

    def close(self) -> None:
        """Wait for the last reads in the shadow."""
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

    def _stored(
        self, entity_ids: Sequence[str], modes: Mapping[str, Mode]
    ) -> dict[str, Mapping[str, Value]]:
        try:
            answer = self._read(entity_ids, modes)
        except ClientError as error:
            if Mode.STORE_ONLY in modes.values():
                raise
            _log.warning("computed inline, because the store does not answer: %s", error)
            return {name: self._computed(name, Mode.STORE, entity_ids) for name in modes}
        columns: dict[str, Mapping[str, Value]] = {}
        for name, mode in modes.items():
            column = {entity: answer.values[entity][name] for entity in entity_ids}
            missing = _missing(answer, name, entity_ids)
            if missing and mode is Mode.STORE:
                column |= self._computed(name, Mode.STORE, missing)
            columns[name] = column
        return columns

    def _computed(self, name: str, mode: Mode, entity_ids: Sequence[str]) -> Mapping[str, Value]:
        started = time.perf_counter()
        try:
            values = self._inline[name](entity_ids)
        except Exception:
            self.ledger.inline_failed(name, mode)
            raise
        seconds = time.perf_counter() - started
        self.ledger.computed(name, mode, count=len(entity_ids), seconds=seconds)
        return values

    def _compare_later(
        self, entity_ids: Sequence[str], computed: Mapping[str, Mapping[str, Value]]
    ) -> None:
        if not self._places.acquire(blocking=False):
            for name in computed:
                self.ledger.dropped(name, Mode.INLINE)
            return
        self._pool.submit(self._compare, list(entity_ids), computed)

    def _compare(
        self, entity_ids: Sequence[str], computed: Mapping[str, Mapping[str, Value]]
    ) -> None:
        try:
            answer = self._read(entity_ids, dict.fromkeys(computed, Mode.INLINE))
        except ClientError as error:
            _log.info("not compared, because the store does not answer: %s", error)
            return
        finally:
            self._places.release()
        for name, values in computed.items():
            absent = set(_missing(answer, name, entity_ids))
            known = {e: answer.values[e][name] for e in entity_ids if e not in absent}
            self.ledger.compare(name, Mode.INLINE, values, known)

    def _read(self, entity_ids: Sequence[str], modes: Mapping[str, Mode]) -> BatchAnswer:
        started = time.perf_counter()
        try:
            answer = self._store.read_batch(entity_ids, list(modes), metadata=True)
        except ClientError:
            for name, mode in modes.items():
                self.ledger.store_failed(name, mode)
            raise
        seconds = time.perf_counter() - started
        for name, mode in modes.items():
            missing = len(_missing(answer, name, entity_ids))
            self.ledger.store_read(
                name, mode, asked=len(entity_ids), missing=missing, seconds=seconds
            )
        return answer


def _missing(answer: BatchAnswer, name: str, entity_ids: Sequence[str]) -> list[str]:
    origins = answer.origins or {}
    return [e for e in entity_ids if origins[e][name].status == _NOT_FOUND]
