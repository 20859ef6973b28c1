"""Comparing costs requests nothing, and what does not fit is left out."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from feature_repo.registry.catalog import Catalog
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import FeatureVersion
from foundation import clock
from serving_gateway.catalog_cache import CatalogCache
from serving_gateway.columns import Column, Found, nothing_of
from serving_gateway.deadline import Deadline
from serving_gateway.instrumentation import Instruments
from serving_gateway.log_digest import LogDigest
from serving_gateway.reading import DEFAULT, Reading
from serving_gateway.rules_cache import RulesCache
from serving_gateway.shadow_instruments import ShadowInstruments
from serving_gateway.shadows import Shadows

VERSIONS = {f.version: f for f in gather_features() if f.feature_name == "popularity_score"}
SERVED, CANDIDATE = VERSIONS["1.1.0"], VERSIONS["1.0.0"]
RULES = "shadows: [{feature_name: popularity_score, version: 1.0.0, share: 1}]"


class SlowTier:
    """Has a value of everything, once it is let to say so."""

    name = "slow"

    def __init__(self, *, is_dead: bool = False) -> None:
        self.asked: list[Column] = []
        self.may_answer = asyncio.Event()
        self._is_dead = is_dead

    def serves(self, feature: FeatureVersion) -> bool:
        """Serve every feature."""
        return bool(feature)

    async def read(
        self,
        columns: Sequence[Column],
        *,
        is_timed: bool,  # noqa: ARG002 - it has none
        deadline: Deadline,  # noqa: ARG002 - it has no haste
    ) -> list[Found]:
        """Wait, and return 0.5 for each."""
        self.asked += columns
        await self.may_answer.wait()
        if self._is_dead:
            return [nothing_of(column, is_unavailable=True) for column in columns]
        return [Found([b"0.5"] * len(column.entity_ids)) for column in columns]


async def _shadows(
    tier: SlowTier, instruments: Instruments, folder: Path, rules: str = RULES
) -> Shadows:
    path = folder / "rules.yaml"
    path.write_text(rules)
    hour = timedelta(hours=1)
    catalog = CatalogCache(
        lambda: Catalog(features=gather_features(), services={}), interval=hour, limit=hour
    )
    await catalog.refresh()
    return Shadows(
        RulesCache(path),
        catalog,
        stored=(tier,),
        computed=(),
        instruments=ShadowInstruments(instruments.registry),
        digest=LogDigest(),
    )


def _reading(
    found: Found | None = None, *, feature: FeatureVersion = SERVED, is_known: bool = True
) -> Reading:
    reading = Reading.of([Column(feature, ["a", "b"], is_known=is_known)])
    [collected] = reading.columns
    collected.take("online", found or Found([b"0.75", None]), now=clock.now())
    collected.fill(b"0.1")
    return reading


def _outcomes(instruments: Instruments) -> Mapping[str, float]:
    return {
        outcome: value
        for outcome in ("compared", "dropped", "failed", "incomparable")
        if (
            value := instruments.registry.get_sample_value(
                "feature_shadow_requests_total",
                {"feature_name": "popularity_score", "outcome": outcome},
            )
        )
    }


async def _turn() -> None:
    """Let everything happen that can happen now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_candidate_holds_up_nobody(tmp_path: Path) -> None:
    """The answer is out before the candidate is read; of many, those that don't fit are dropped."""
    tier, instruments = SlowTier(), Instruments()
    shadows = await _shadows(tier, instruments, tmp_path)
    running = asyncio.create_task(shadows.run())
    reading = _reading()
    for _ in range(150):
        shadows.offer(reading)
    assert tier.asked == []
    assert _outcomes(instruments) == {"dropped": 50}
    await _turn()
    assert [column.feature for column in tier.asked] == [CANDIDATE]
    tier.may_answer.set()
    async with asyncio.timeout(30):
        while _outcomes(instruments) != {"dropped": 50, "compared": 100}:
            await _turn()
    assert [part.tier for part in reading.columns[0].parts] == ["online", DEFAULT]
    assert reading.columns[0].texts == [b"0.75", b"0.1"]
    running.cancel()


@pytest.mark.parametrize(
    "reading",
    [
        _reading(feature=CANDIDATE),
        _reading(Found([None, None], is_unavailable=True)),
        _reading(is_known=False),
    ],
    ids=["is the candidate", "could not be read", "nobody in particular"],
)
async def test_what_says_nothing_is_not_compared(tmp_path: Path, reading: Reading) -> None:
    """A default that stands for a value which nobody could read is no value that is lacking."""
    tier, instruments = SlowTier(), Instruments()
    shadows = await _shadows(tier, instruments, tmp_path)
    running = asyncio.create_task(shadows.run())
    shadows.offer(reading)
    await _turn()
    assert tier.asked == []
    running.cancel()


async def test_a_candidate_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    """And so is one that is not deployed; the next ones are compared all the same."""
    for tier, rules in (
        (SlowTier(is_dead=True), RULES),
        (SlowTier(), RULES.replace("1.0.0", "9.9.9")),
    ):
        tier.may_answer.set()
        instruments = Instruments()
        shadows = await _shadows(tier, instruments, tmp_path, rules)
        running = asyncio.create_task(shadows.run())
        for _ in range(2):
            shadows.offer(_reading())
            await _turn()
        assert _outcomes(instruments) == {"failed": 2}
        running.cancel()
