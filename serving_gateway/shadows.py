"""
Shadow mode: a candidate version is read beside the served one, and only their difference is kept.

It happens after the answer has been made, a few reads at a time. What does not fit is left out.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.registry.metadata import FeatureVersion
from feature_repo.registry.serving_rules import Shadow
from foundation import clock
from foundation.errors import FeatureStoreError
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column
from serving_gateway.comparison import PairedHistogram, are_comparable, compare, joint_range
from serving_gateway.deadline import NO_DEADLINE
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import DEFAULT, CollectedColumn, Reading
from serving_gateway.rules_cache import RulesCache
from serving_gateway.shadow_instruments import Pair, ShadowInstruments
from serving_gateway.tiers import Tier

# Reads at a time; each takes one of the connections that requests need, too.
READERS = 2
_WAITING = 100
# Of one request: enough to tell a difference, too few to hold up others.
_MOST_ENTITIES = 200


@dataclass(frozen=True)
class _Task:
    """
    What to compare.

    Attributes:
        shadow: Says with which candidate.
        column: The served version, and its entities.
        texts: JSON texts of the served values, None where no tier had one.
    """

    shadow: Shadow
    column: Column
    texts: Sequence[bytes | None]


class Shadows:
    """
    Compares what is served with what candidates would have been.

    Args:
        rules: Say which candidates, and how often.
        catalog: Says what versions there are.
        stored: Tiers of values that are kept.
        computed: Tiers of those that are not: computing what is merely missing would cost
            PostgreSQL what requests need.
        instruments: Record differences.
        digest: Logs what could not be compared.
    """

    needs_times = False

    def __init__(
        self,
        rules: RulesCache,
        catalog: CatalogCache,
        *,
        stored: Sequence[Tier],
        computed: Sequence[Tier],
        instruments: ShadowInstruments,
        digest: LogDigest,
    ) -> None:
        self._rules = rules
        self._catalog = catalog
        self._stored = stored
        self._computed = computed
        self._instruments = instruments
        self._digest = digest
        self._waiting: asyncio.Queue[_Task] = asyncio.Queue(_WAITING)
        self._histograms: dict[Pair, PairedHistogram] = {}

    def takes(self) -> bool:
        """Tell whether there is any candidate."""
        return bool(self._rules.current.shadows)

    def offer(self, reading: Reading) -> None:
        """Take what a request is served, to be compared later, or not at all."""
        for shadow in self._rules.current.shadows:
            if random.random() >= shadow.share:  # noqa: S311 - no secret
                continue
            for collected in reading.columns:
                if _is_to_be_compared(collected, shadow):
                    self._put(_task(shadow, collected))

    async def run(self) -> None:
        """Compare what is offered, until cancelled; may run several times."""
        while True:
            task = await self._waiting.get()
            try:
                await self._compare(task)
            except (FeatureStoreError, ValueError) as error:
                self._instruments.count_request(task.shadow.feature_name, "failed")
                candidate = f"{task.shadow.feature_name}=={task.shadow.version}"
                self._digest.add("shadow_not_compared", candidate=candidate, error=str(error))

    def _put(self, task: _Task) -> None:
        try:
            self._waiting.put_nowait(task)
        except asyncio.QueueFull:
            self._instruments.count_request(task.shadow.feature_name, "dropped")

    async def _compare(self, task: _Task) -> None:
        served = task.column.feature
        candidate = self._catalog.current.select(task.shadow.feature_name, task.shadow.version)
        if not are_comparable(served, candidate):
            self._instruments.count_request(served.feature_name, "incomparable")
            return
        texts = await self._read(candidate, task.column)
        if texts is None:
            self._instruments.count_request(served.feature_name, "failed")
            return
        compared = compare(served.feature_type, task.texts, texts)
        pair = Pair(served.feature_name, served.version, candidate.version)
        self._instruments.count_request(served.feature_name, "compared")
        self._instruments.record(pair, compared)
        within = joint_range(served, candidate)
        if within is not None and compared.numbers[0]:
            histogram = self._histograms.setdefault(pair, PairedHistogram(within))
            histogram.add(compared.numbers)
            self._instruments.record_stability(pair, histogram.stability_index())

    async def _read(self, candidate: FeatureVersion, column: Column) -> list[bytes | None] | None:
        """Return the candidate's values; None if a tier that may have them can't answer."""
        wanted = Column(candidate, column.entity_ids, column.query_embedding)
        [collected] = Reading.of([wanted]).columns
        for tier in self._stored if candidate.serving_location else self._computed:
            if collected.missing and tier.serves(candidate):
                asked = wanted.only(collected.missing)
                [found] = await tier.read([asked], is_timed=False, deadline=NO_DEADLINE)
                collected.take(tier.name, found, now=clock.now())
        return None if collected.is_unavailable else collected.texts


def _is_to_be_compared(collected: CollectedColumn, shadow: Shadow) -> bool:
    """Tell whether a column is of the shadow's feature, and what it lacks does not exist."""
    served = collected.column.feature
    return (
        served.feature_name == shadow.feature_name
        and served.version != shadow.version
        and collected.column.is_known
        and not collected.is_unavailable
    )


def _task(shadow: Shadow, collected: CollectedColumn) -> _Task:
    texts: list[bytes | None] = list(collected.texts)
    for part in collected.parts:
        if part.tier == DEFAULT:
            for row in part.rows:
                texts[row] = None
    rows = range(min(len(texts), _MOST_ENTITIES))
    return _Task(shadow, collected.column.only(rows), texts[: len(rows)])
