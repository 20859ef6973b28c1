"""Historical retrieval doesn't notice that a month was dropped, or says what is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore
from feast.data_source import PushMode
from typer.testing import CliRunner

from feature_repo.history.terms import as_known_at
from feature_repo.registry.gather import gather_features
from foundation import clock
from foundation.errors import ContractViolation
from foundation.postgres import Connection, connect
from foundation.settings import Settings, load_settings
from tests.integration.transformations.written import write_history
from transformations.archives.storage import Archive
from transformations.cli import app
from transformations.retention import archive_months, remove_archives
from transformations.value_files import value_path

FEATURES = {feature.reference: feature for feature in gather_features()}
POPULARITY = FEATURES["popularity_score==1.0.0"]
FRESHNESS = FEATURES["product_freshness_score==1.0.0"]
FACTORS = FEATURES["user_factors==1.0.0"]
AFFINITY = FEATURES["user_category_affinity==1.0.0"]
ASKED = [
    f"{feature.view_name}:{feature.feature_name}"
    for feature in (POPULARITY, FRESHNESS, FACTORS, AFFINITY)
]
# So that rows of March look back into February.
MARCH = datetime(2020, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def archiving(
    settings: Settings, applied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings with a folder for the archive, which Feast's plugins know too; with values."""
    assert applied
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", tmp_path.as_uri())
    for step in range(-40, 3):
        at = MARCH + step * HOUR / 2
        write_history(settings, POPULARITY, at, a=(step + 50) / 100, b=0.5)
    for at in (MARCH - 3 * HOUR, MARCH + HOUR):
        write_history(settings, FRESHNESS, at, a=0.25)
    write_history(settings, FACTORS, MARCH - HOUR, u=[0.5, -0.25] * 32)
    write_history(settings, AFFINITY, MARCH - HOUR, u={"b": 1.0, "é": 0.5})
    with connect(settings) as connection:
        connection.execute("TRUNCATE feature_latest")
    return load_settings()


def _archive(settings: Settings) -> None:
    archive_months(settings, Archive.open(settings), now=NOW, dry_run=False)


def _frame(feast_store: FeatureStore, **options: Any) -> pd.DataFrame:  # noqa: ANN401
    rows = [
        (product, "u", MARCH + minutes * timedelta(minutes=1))
        for product in ("a", "b", "c")
        for minutes in range(-1_300, 200, 7)
    ]
    frame = pd.DataFrame(rows, columns=["product_id", "user_id", "event_timestamp"])
    job = feast_store.get_historical_features(entity_df=frame, features=ASKED, **options)
    found: pd.DataFrame = job.to_df()
    return found


def _push(feast_store: FeatureStore, at: datetime, value: float) -> None:
    frame = pd.DataFrame(
        {
            "product_id": ["a"],
            "popularity_score": [value],
            "event_timestamp": [at],
            "created_at": [at],
        }
    )
    feast_store.push(f"{POPULARITY.view_name}_push", frame, to=PushMode.OFFLINE)


def test_nothing_is_different(feast_store: FeatureStore, archiving: Settings) -> None:
    """Values of every type and minute, of every entity; with rows given or not, on any terms."""

    def answers() -> list[pd.DataFrame]:
        stored = feast_store.get_historical_features(
            features=ASKED[:2], start_date=MARCH - 5 * HOUR, end_date=MARCH + HOUR
        )
        found = [_frame(feast_store), stored.to_df()]
        found.append(_frame(feast_store, filter_by_created_timestamp=True))
        with as_known_at(MARCH):
            found.append(_frame(feast_store))
        return found

    before = answers()
    assert before[0]["popularity_score"].nunique() > 30
    assert before[0]["user_factors"].notna().sum() > 100
    assert len(before[1]) == 26
    assert not before[2]["popularity_score"].notna().any()  # all was written much later
    _archive(archiving)
    for frame, expected in zip(answers(), before, strict=True):
        pd.testing.assert_frame_equal(frame, expected)


def test_a_push_hides_nothing_and_is_not_lost(
    feast_store: FeatureStore, archiving: Settings
) -> None:
    """One value of a dropped month: all others stay, and it stays when the month goes again."""
    _archive(archiving)
    before = _frame(feast_store)
    at = MARCH - 2 * HOUR
    _push(feast_store, at, 0.99)
    _push(feast_store, at + timedelta(minutes=10), 0.98)
    for _ in range(2):
        after = _frame(feast_store)
        changed = after["popularity_score"].fillna(-1) != before["popularity_score"].fillna(-1)
        assert set(after[changed]["popularity_score"]) == {0.99, 0.98}
        assert set(after[changed]["product_id"]) == {"a"}
        unchanged = after.drop(columns="popularity_score")
        pd.testing.assert_frame_equal(unchanged, before.drop(columns="popularity_score"))
        _archive(archiving)


def test_what_was_known_before_a_late_push(feast_store: FeatureStore, archiving: Settings) -> None:
    """A correction of a dropped month doesn't change what was known before it."""
    _archive(archiving)
    before, instant = _frame(feast_store), clock.now()
    _push(feast_store, MARCH - 2 * HOUR, 0.99)
    with as_known_at(instant):
        pd.testing.assert_frame_equal(_frame(feast_store), before)
    with as_known_at(clock.now()):
        assert 0.99 in set(_frame(feast_store)["popularity_score"])


def _files(folder: Path, feature_name: str) -> list[Path]:
    return sorted(folder.glob(f"archive/**/feature_name={feature_name}/**/values.parquet"))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "shorter": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "changed": _flip,
    "another": lambda path: path.write_bytes(
        (path.parents[2] / value_path("user_factors", "1.0.0")).read_bytes()
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(
    feast_store: FeatureStore, archiving: Settings, tmp_path: Path, damage: str
) -> None:
    """With its month and what to do; other features are read as ever."""
    _archive(archiving)
    path = _files(tmp_path, "popularity_score")[0]
    DAMAGE[damage](path)
    rows = pd.DataFrame({"product_id": ["a"], "event_timestamp": [MARCH]})
    popularity, freshness = (
        feast_store.get_historical_features(entity_df=rows, features=[name]) for name in ASKED[:2]
    )
    with pytest.raises(ContractViolation, match=r"the archive of 2020-02 is damaged") as caught:
        popularity.to_df()
    assert str(path) in caught.value.message
    assert "Restore the file" in caught.value.hint
    assert freshness.to_df()["product_freshness_score"].tolist() == [0.25]
    result = CliRunner().invoke(app, ["archive", "verify"])
    assert (result.exit_code, "2 parts, 1 problems" in result.output) == (2, True)
    assert "feature_name=popularity_score" in result.output


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_lost_manifest_is_no_empty_month(
    feast_store: FeatureStore, archiving: Settings, tmp_path: Path, damage: str
) -> None:
    """Nor is an archive that is not where the settings say: an error, not a stale value."""
    _archive(archiving)
    (path,) = tmp_path.glob("archive/month=2020-02/*/manifest.json")
    DAMAGE[damage](path)
    with pytest.raises(ContractViolation, match=r"archive of 2020-02 is damaged: .*manifest\.json"):
        _frame(feast_store)


def test_what_was_removed_is_told(
    feast_store: FeatureStore, archiving: Settings, tmp_path: Path
) -> None:
    """Whoever asks for it gets an error that says from when on there is something."""
    _archive(archiving)
    keeping = archiving.model_copy(
        update={"archive_retention_days": 2_280, "history_retention_days": 180}
    )
    archive = Archive.open(keeping)
    gone = [
        (part.month_name, part.removed_at)
        for part in remove_archives(keeping, archive, now=NOW, dry_run=False)
    ]
    assert gone == [("2020-02", None)]
    assert remove_archives(keeping, archive, now=NOW, dry_run=False) == []
    assert len(_files(tmp_path, "popularity_score")) == 1
    with pytest.raises(ContractViolation, match="its values of 2020-02 were removed") as caught:
        _frame(feast_store)
    assert "nothing before 2020-03-01" in caught.value.hint
    later = pd.DataFrame({"product_id": ["a"], "event_timestamp": [MARCH + 30 * HOUR]})
    job = feast_store.get_historical_features(entity_df=later, features=ASKED[:1])
    assert job.to_df()["popularity_score"].isna().all()


def test_the_commands(archiving: Settings, postgres: Connection) -> None:
    """Create, list, verify, prune; exit codes tell."""
    assert archiving

    def archive(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["archive", *arguments])
        return result.exit_code, result.output

    assert "would go" in archive("create", "--dry-run")[1]
    code, output = archive("create")
    assert (code, "feature_values_2020_02" in output, "archived" in output) == (0, True, True)
    assert '"month": "2020-02-01T00:00:00+00:00"' in archive("list", "--json")[1]
    assert "2020-02" in archive("list")[1]
    assert archive("verify") == (0, "2 parts, 0 problems\n")
    assert archive("verify", "--month", "2020-02") == (0, "1 parts, 0 problems\n")
    assert archive("verify", "--month", "2020-01")[0] == 1
    assert "0 parts" in archive("prune")[1]
    postgres.execute("UPDATE archived_parts SET removed_at = '2026-06-01'")
    postgres.commit()
    assert "removed on 2026-06-01" in archive("list")[1]
    assert archive("verify") == (0, "0 parts, 0 problems\n")
