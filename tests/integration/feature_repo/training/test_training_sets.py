"""Training sets, built and looked at by the commands that users type."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.errors import ConfigurationError, ContractViolation, UnknownVersion
from foundation.postgres import Connection
from foundation.settings import load_settings
from tests.integration.feature_repo.training.conftest import HOUR, START, Run
from transformations.archives.storage import Archive
from transformations.retention import archive_months

FEATURES = ("popularity_score==1.0.0", "user_category_affinity==1.0.0")


@pytest.fixture
def built(run: Run, history: Connection, entities: Path, tmp_path: Path) -> Path:
    """Return the folder of a training set."""
    assert history
    folder = tmp_path / "set"
    result = run(
        *("training-set", "build", "--entities", entities, "--out", folder),
        *("--features", *FEATURES, "--label", "bought"),
    )
    assert result.exit_code == 0, result.output
    return folder


def _correct(history: Connection) -> None:
    history.execute(
        "UPDATE feature_values SET feature_value = '0.9', created_at = now() "
        "WHERE entity_id = 'a' AND version = '1.0.0' AND feature_name = 'popularity_score'"
    )
    history.commit()


def test_rows_and_manifest(built: Path) -> None:
    """The rows as given, with what was known of them, and what is to be said about it."""
    rows = pq.read_table(built / "training_set.parquet")
    assert rows.column_names == [
        *("user_id", "product_id", "event_timestamp", "bought"),
        *("popularity_score", "user_category_affinity"),
    ]
    assert rows["popularity_score"].to_pylist() == [0.1, 0.2, None, 0.4]
    assert rows["user_category_affinity"].to_pylist() == [
        [("x", 0.1)],
        None,
        [("x", 0.3)],
        [("x", 0.4)],
    ]
    manifest = json.loads((built / "manifest.json").read_text())
    assert [feature["reference"] for feature in manifest["features"]] == list(FEATURES)
    popularity = manifest["features"][0]
    assert (popularity["null_count"], popularity["null_rate"]) == (1, 0.25)
    assert len(popularity["code_fingerprint"]) == 64
    assert popularity["newest_event_timestamp"] == (START + 4 * HOUR).isoformat()
    assert popularity["newest_created_at"] == (START + 4 * HOUR).isoformat()
    assert manifest["first_timestamp"] == (START + HOUR).isoformat()
    assert manifest["file"]["row_count"] == 4
    assert manifest["labels"] == ["bought"]
    assert {"python", "pyarrow", "duckdb", "feast"} <= manifest["environment"].keys()


def test_a_set_is_built_again_to_the_byte(
    run: Run, built: Path, history: Connection, entities: Path, tmp_path: Path
) -> None:
    """Even after the history was corrected, and as the same files."""
    _correct(history)
    result = run("training-set", "verify", built)
    assert (result.exit_code, "same to the byte" in result.output) == (0, True), result.output
    known_at = json.loads((built / "manifest.json").read_text())["known_at"]
    again = tmp_path / "again"
    run(
        *("training-set", "build", "--entities", entities, "--out", again, *FEATURES),
        *("--known-at", known_at, "--label", "bought"),
    )
    for name in ("training_set.parquet", "manifest.json"):
        assert (again / name).read_bytes() == (built / name).read_bytes()
    same = run("training-set", "diff", built, again)
    assert (same.exit_code, same.output) == (0, "They are the same to the byte.\n")


def test_a_set_is_built_again_from_the_archive(
    run: Run, built: Path, history: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the byte, once PostgreSQL has dropped the month and its corrections."""
    _correct(history)
    monkeypatch.setenv("FEATURE_STORE_SNAPSHOT_URL", (tmp_path / "snapshots").as_uri())
    settings = load_settings()
    archive_months(settings, Archive.open(settings), now=START + timedelta(days=400), dry_run=False)
    assert history.execute("SELECT count(*) FROM feature_values").fetchone() == (0,)
    history.commit()
    result = run("training-set", "verify", built)
    assert (result.exit_code, "same to the byte" in result.output) == (0, True), result.output


def test_what_is_different_is_told(
    run: Run, built: Path, history: Connection, entities: Path, tmp_path: Path
) -> None:
    """Between sets of different instants and versions; which values, and how many."""
    _correct(history)
    later = tmp_path / "later"
    run(
        *("training-set", "build", "--entities", entities, "--out", later),
        *("popularity_score==1.0.0", "popularity_score==1.1.0", "--full-feature-names"),
    )
    result = run("training-set", "diff", built, later, "--json")
    assert result.exit_code == 2
    lines = json.loads(result.output)
    assert "user_category_affinity==1.0.0: only in the first" in lines
    assert "popularity_score==1.1.0: only in the second" in lines
    assert "popularity_score==1.0.0: 2 of 4 values are different" in lines
    assert any(line.startswith("known_at: ") for line in lines)


def test_verify_finds_what_was_lost(run: Run, built: Path, history: Connection) -> None:
    """Values that are gone from the history, and a file that was changed."""
    history.execute("DELETE FROM feature_values WHERE entity_id = 'b'")
    history.commit()
    result = run("training-set", "verify", built)
    assert result.exit_code == 2
    assert "popularity_score: 1 of 4 values are not as they were" in result.output
    with (built / "training_set.parquet").open("ab") as output:
        output.write(b"x")
    assert isinstance(run("training-set", "verify", built).exception, ContractViolation)


def _search_rows(folder: Path) -> Path:
    """Return a file of searches for two products, one an hour."""
    path = folder / "searches.csv"
    pd.DataFrame(
        {
            "product_id": ["a", "b", "a", "b"],
            "query": "cheese",
            "event_timestamp": [(START + step * HOUR).isoformat() for step in range(1, 5)],
        }
    ).to_csv(path, index=False)
    return path


def test_a_set_is_built_again_after_products_changed(
    run: Run, history: Connection, tmp_path: Path
) -> None:
    """Their price, their texts, and texts that are said to have been others all the time."""
    for product, title in (("a", "red cheese"), ("b", "ham")):
        history.execute(
            "INSERT INTO products VALUES (%s, %s, '', 'c', 1, %s, %s)",
            (product, title, START, START),
        )
    history.commit()
    folder = tmp_path / "set"
    build = ("training-set", "build", "--entities", _search_rows(tmp_path), "--out")
    assert run(*build, folder, "search_keyword_score==1.0.0").exit_code == 0
    scores = pq.read_table(folder / "training_set.parquet")["search_keyword_score"].to_pylist()
    assert scores[0] == scores[2] > 0
    for change in (
        "price = 2, updated_at = now()",
        "title = 'old cheese', updated_at = now()",
        f"title = 'blue cheese cheese', updated_at = '{START.isoformat()}'",
    ):
        history.execute(f"UPDATE products SET {change}")  # noqa: S608 - our own
        history.commit()
        result = run("training-set", "verify", folder)
        assert (result.exit_code, "same to the byte" in result.output) == (0, True), result.output
    run(*build, tmp_path / "later", "search_keyword_score==1.0.0")
    assert run("training-set", "diff", folder, tmp_path / "later").exit_code == 2


def test_leaks_are_reported(run: Run, history: Connection, tmp_path: Path) -> None:
    """What was known later only, what was not there at all, a feature that is the label, ..."""
    _correct(history)
    entities = tmp_path / "entities.csv"
    steps = [1, 2, 3, 4] * 10
    pd.DataFrame(
        {
            "product_id": ["a", "b"] * 20,
            "event_timestamp": [(START + step * HOUR).isoformat() for step in steps],
            "bought": [float(step) for step in steps],
            "returned": [step > 2 for step in steps],
        }
    ).to_csv(entities, index=False)
    with entities.open("a") as output:
        output.write("a,2126-06-01T00:00:00Z,1,False\n")
    history.execute(
        "UPDATE feature_values SET created_at = now() WHERE version = '1.1.0' AND entity_id = 'b'"
    )
    history.execute("DELETE FROM replaced_values WHERE version = '1.1.0'")
    history.commit()
    build = ("training-set", "build", "--entities", entities, "--full-feature-names")
    features = ("popularity_score==1.0.0", "popularity_score==1.1.0")
    labels = ("--label", "bought", "--label", "returned")
    result = run(*build, *features, *labels, "--out", tmp_path / "set")
    leakage = json.loads((tmp_path / "set" / "manifest.json").read_text())["leakage"]
    stable, trending = (f"popularity_score_v1_{minor}_0__popularity_score" for minor in (0, 1))
    assert leakage["known_later"] == {stable: 20}
    assert leakage["backfilled"] == {trending: 20}
    assert leakage["future_rows"] == 1
    assert leakage["like_a_label"] == [
        {"column": trending, "label": label, "measure": measure, "value": 1.0, "row_count": 40}
        for label, measure in (("bought", "correlation"), ("returned", "AUC"))
    ]
    printed = " ".join(result.output.split())
    assert f"{stable}: 20 values were not known yet" in printed
    assert f"part of the history was backfilled: at their rows' time, 20 of {trending}" in printed
    assert f"{trending}: tells the label returned (AUC 1.0 over 40 rows)" in printed
    assert "1 rows are about the future" in printed


def test_what_was_known_then_is_a_set_of_its_own(
    run: Run, history: Connection, entities: Path, tmp_path: Path
) -> None:
    """Without what was corrected or backfilled since; it is built again as such."""
    _correct(history)
    folder = tmp_path / "set"
    build = ("training-set", "build", "--entities", entities, "--out", folder, *FEATURES)
    result = run(*build, "--known-then")
    assert result.exit_code == 0
    assert "leakage" not in result.output
    rows = pq.read_table(folder / "training_set.parquet")
    assert rows["popularity_score"].to_pylist() == [0.1, 0.2, None, 0.4]
    assert json.loads((folder / "manifest.json").read_text())["known_then"] is True
    assert "to the byte" in run("training-set", "verify", folder).output
    run(*build, "--replace")
    rows = pq.read_table(folder / "training_set.parquet")
    assert rows["popularity_score"].to_pylist() == [0.9, 0.2, None, 0.9]


def test_columns_of_any_type_are_verified(run: Run, history: Connection, tmp_path: Path) -> None:
    """NaN, structs, and no rows at all."""
    assert history
    entities = pa.table(
        {
            "product_id": ["a", "b"],
            "event_timestamp": [(START + HOUR).isoformat()] * 2,
            "price": [float("nan"), 1.0],
            "seen": [{"x": 1, "y": [float("nan")]}, None],
            "nothing": pa.nulls(2),
        }
    )
    for number, rows in enumerate((entities, entities.slice(0, 0))):
        path, folder = tmp_path / f"{number}.parquet", tmp_path / f"set {number}"
        pq.write_table(rows, path)
        built = run(
            *("training-set", "build", "--entities", path, "--out", folder),
            *("popularity_score==1.0.0", "--label", "price"),
        )
        assert built.exit_code == 0, built.exception
        result = run("training-set", "verify", folder)
        assert (result.exit_code, "to the byte" in result.output) == (0, True), result.output


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["popularity_score"], ConfigurationError, "popularity_score==1.1.0 (active)"),
        (["popularity_score==^1"], ConfigurationError, "popularity_score==1.0.0 (active)"),
        (["popularity_score>=1"], ConfigurationError, "popularity_score==2.0.0 (staged)"),
        (["popularity_score==9.0.0"], UnknownVersion, "1.0.0 (active)"),
        (["--feature-service", "nobody_v1"], ConfigurationError, "ranking_v1"),
        ([], ConfigurationError, ""),
        (["popularity_score==1.0.0", "--label", "sold"], ConfigurationError, "bought"),
        (["popularity_score==1.0.0", "popularity_score==1.1.0"], ConfigurationError, "--full"),
        (["popularity_score==1.0.0", "--known-at", "2126-01-01"], ConfigurationError, "future"),
        (["search_keyword_score==1.0.0"], ContractViolation, "user_id, product_id"),
    ],
)
def test_what_could_not_be_repeated_is_refused(
    run: Run,
    history: Connection,
    entities: Path,
    tmp_path: Path,
    arguments: list[str],
    error: type[Exception],
    hint: str,
) -> None:
    """With what to write instead; nothing is left behind."""
    assert history
    result = run(
        "training-set", "build", "--entities", entities, "--out", tmp_path / "set", *arguments
    )
    assert isinstance(result.exception, error)
    assert hint in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["entities.csv"]


def test_what_is_not_settled_yet_is_refused(
    run: Run, history: Connection, entities: Path, tmp_path: Path
) -> None:
    """Somebody has written what can't be seen yet."""
    row = history.execute("SELECT now()").fetchone()
    assert row is not None
    history.execute("UPDATE feature_values SET feature_value = '0.9' WHERE entity_id = 'a'")
    build = ("training-set", "build", "--entities", entities, FEATURES[0])
    result = run(*build, "--out", tmp_path / "set", "--known-at", row[0].isoformat())
    assert isinstance(result.exception, ConfigurationError)
    assert "process" in str(result.exception)
    assert run(*build, "--out", tmp_path / "set").exit_code == 0
    known_at = json.loads((tmp_path / "set" / "manifest.json").read_text())["known_at"]
    assert datetime.fromisoformat(known_at) < row[0]


def test_sets_are_local_folders(run: Run, history: Connection, entities: Path) -> None:
    """A URL would become a folder of that name."""
    assert history
    build = ("training-set", "build", "--entities", entities, FEATURES[0], "--out")
    result = run(*build, "s3://bucket/set")
    assert isinstance(result.exception, ConfigurationError)
    assert "local folders" in str(result.exception)
    assert not Path("s3:").exists()


def test_folders_are_not_overwritten_by_accident(
    run: Run, built: Path, entities: Path, tmp_path: Path
) -> None:
    """A training set on demand only, anything else never."""
    build = ("training-set", "build", "--entities", entities, FEATURES[0], "--out")
    assert "already" in str(run(*build, built).exception)
    assert run(*build, built, "--replace").exit_code == 0
    assert "no training set" in str(run(*build, tmp_path, "--replace").exception)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entities.csv", "set"]


def test_parquet_entities(run: Run, history: Connection, entities: Path, tmp_path: Path) -> None:
    """The same rows from Parquet give the same values."""
    assert history
    frame = pd.read_csv(entities, parse_dates=["event_timestamp"])
    frame.astype({"user_id": "category"}).to_parquet(tmp_path / "entities.parquet")
    folder = tmp_path / "set"
    run(
        "training-set",
        "build",
        "--entities",
        tmp_path / "entities.parquet",
        "--out",
        folder,
        *FEATURES,
    )
    rows = pq.read_table(folder / "training_set.parquet")
    assert rows["popularity_score"].to_pylist() == [0.1, 0.2, None, 0.4]
    assert "to the byte" in run("training-set", "verify", folder).output
