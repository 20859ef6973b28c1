"""Training sets, built and looked at by the commands that users type."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from foundation.errors import ConfigurationError, ContractViolation, UnknownVersion
from foundation.postgres import Connection
from tests.integration.feature_repo.training.conftest import HOUR, START, Run

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
    assert run("training-set", "diff", built, again).output == "They are the same.\n"


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
    lines = json.loads(run("training-set", "diff", built, later, "--json").output)
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


def test_leaks_are_reported(run: Run, history: Connection, entities: Path, tmp_path: Path) -> None:
    """What was known later only, a feature that is the label, rows about the future."""
    _correct(history)
    history.execute(
        "UPDATE feature_values SET feature_value = '0' WHERE version = '1.1.0' AND entity_id = 'a'"
    )
    history.execute(
        "UPDATE feature_values SET feature_value = '1' WHERE version = '1.1.0' AND entity_id = 'b'"
    )
    history.commit()
    with entities.open("a") as output:
        output.write("u,a,2126-06-01T00:00:00Z,1\n")
    result = run(
        *("training-set", "build", "--entities", entities, "--out", tmp_path / "set"),
        *("popularity_score==1.0.0", "popularity_score==1.1.0", "--full-feature-names"),
        *("--label", "bought"),
    )
    leakage = json.loads((tmp_path / "set" / "manifest.json").read_text())["leakage"]
    assert leakage == {
        "known_later": {"popularity_score_v1_0_0__popularity_score": 2},
        "like_a_label": [
            ["popularity_score_v1_0_0__popularity_score", "bought", -1.0],
            ["popularity_score_v1_1_0__popularity_score", "bought", 1.0],
        ],
        "future_rows": 1,
    }
    assert "2 values were not known yet" in result.output
    assert "goes with the label bought" in result.output
    assert "1 rows are about the future" in result.output


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
        (["popularity_score==1.0.0", "--known-at", "2126-01-01"], ConfigurationError, ""),
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
