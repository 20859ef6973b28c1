"""What the gateway served, against what training is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import ConfigurationError, ContractViolation
from foundation.postgres import Connection
from tests.integration.feature_repo.training.conftest import HOUR, START, Run


@pytest.fixture(autouse=True)
def _records_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs of the time of these tests, whenever that was."""
    monkeypatch.setenv("FEATURE_STORE_RUN_RETENTION_DAYS", "36500")


def _answer(
    feature: str, value: object, *, step: float, at: float | None, tier: str = "online", **keys: str
) -> dict[str, Any]:
    """Return a record; `step` and `at` are hours after the start of the history."""
    return {
        "answered_at": (START + step * HOUR).isoformat(),
        "feature": feature,
        "keys": keys,
        "value": value,
        "served_from": tier,
        "event_timestamp": None if at is None else (START + at * HOUR).isoformat(),
        "request_id": "ignored",
    }


def _run_as_of(history: Connection, feature: str, step: float) -> None:
    """Record a run that published values; `step` is in hours after the start of the history."""
    name, _, version = feature.partition("==")
    as_of = START + step * HOUR
    history.execute(
        """
        INSERT INTO computation_runs (run_id, job_name, feature_name, version, engine, as_of,
                                      started_at, status, code_fingerprint, row_count)
        VALUES (gen_random_uuid(), %s, %s, %s, 'postgres', %s, %s, 'succeeded', '', 2)
        """,
        (feature, name, version, as_of, as_of),
    )
    history.commit()


def _check(run: Run, folder: Path, *records: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    path = folder / "answers.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n\n")
    result = run("parity", path, "--json")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    found = json.loads(result.output)
    assert found["unknown_versions"] == {}
    return result.exit_code, {each["feature"]: each for each in found["features"]}


def test_what_was_served_is_what_training_gets(
    run: Run, history: Connection, tmp_path: Path
) -> None:
    """Numbers and maps, what is missing on both sides, and what the history does not keep."""
    popularity, affinity = "popularity_score==1.0.0", "user_category_affinity==1.0.0"
    _run_as_of(history, popularity, 2.4)
    just_now = 3 + 1 / 60  # a minute after a run
    code, found = _check(
        run,
        tmp_path,
        _answer(popularity, 0.2, step=2.5, at=2, product_id="a"),
        _answer(popularity, 0.1, step=2.5, at=None, tier="default", product_id="new"),
        _answer(popularity, 0.21, step=2.5, at=2.4, product_id="a"),  # a run between two kept ones
        _answer(popularity, 0.2, step=just_now, at=2, product_id="a"),
        _answer(popularity, 0.2, step=2.5, at=None, tier="default", product_id="b"),
        _answer(popularity, 0.4, step=2.5, at=None, tier="on_demand", product_id="new"),
        _answer(affinity, {"x": 0.3}, step=3, at=3, user_id="u"),
    )
    assert code == 0
    counts = ("same", "different", "lost", "not_kept", "behind", "unserved")
    assert [found[popularity][name] for name in counts] == [2, 0, 0, 2, 1, 1]
    assert [found[affinity][name] for name in counts] == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        ("different", _answer("popularity_score==1.0.0", 0.25, step=2.5, at=2, product_id="a")),
        # The history has newer ones of each hour since, and has had them for long.
        ("outdated", _answer("popularity_score==1.0.0", 0.0, step=5.5, at=0, product_id="a")),
        (
            "withheld",
            _answer(
                "popularity_score==1.0.0", 0.1, step=2.5, at=None, tier="default", product_id="b"
            ),
        ),
        (
            "unrecorded",
            _answer("popularity_score==1.0.0", 0.9999, step=2.9, at=2.3, product_id="a"),
        ),
        ("lost", _answer("user_category_affinity==1.0.0", {"x": 0.6}, step=7, at=6, user_id="u")),
    ],
)
def test_a_difference_is_told_and_fails(
    run: Run, history: Connection, tmp_path: Path, verdict: str, answer: dict[str, Any]
) -> None:
    """Whatever it is: training would be given something else."""
    _run_as_of(history, "popularity_score==1.0.0", 2.4)
    code, found = _check(run, tmp_path, answer)
    assert (code, found[answer["feature"]][verdict]) == (2, 1)


def test_nothing_compared_is_a_failure(run: Run, history: Connection, tmp_path: Path) -> None:
    """An empty sample, answers of versions that are gone, and of runs that are not kept."""
    _run_as_of(history, "popularity_score==1.0.0", 2.4)
    passing = _answer("popularity_score==1.0.0", 0.21, step=2.5, at=2.4, product_id="a")
    gone = _answer("popularity_score==0.1.0", 0.2, step=2.5, at=2, product_id="a")
    path = tmp_path / "answers.jsonl"
    for records in ([], [gone], [passing]):
        path.write_text("\n".join(map(json.dumps, records)))
        result = run("parity", path)
        assert isinstance(result.exception, ContractViolation)
        assert "not one could be compared" in str(result.exception)


def test_versions_that_are_gone_are_a_line(run: Run, history: Connection, tmp_path: Path) -> None:
    """The others are compared all the same."""
    assert history
    known = _answer("popularity_score==1.0.0", 0.2, step=2.5, at=2, product_id="a")
    gone = _answer("popularity_score==0.1.0", 0.2, step=2.5, at=2, product_id="a")
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, [gone, known, gone])))
    result = run("parity", path)
    assert result.exit_code == 0
    assert "popularity_score==0.1.0 is not deployed: 2 answers were left out" in result.output
    unknown = json.loads(run("parity", path, "--json").output)["unknown_versions"]
    assert unknown == {"popularity_score==0.1.0": 2}


def test_what_was_written_later_does_not_count(
    run: Run, history: Connection, tmp_path: Path
) -> None:
    """A correction after the answer is no difference."""
    history.execute(
        "UPDATE feature_values SET feature_value = '0.9', created_at = %s "
        "WHERE feature_name = 'popularity_score' AND version = '1.0.0'",
        (START + 100 * HOUR,),
    )
    history.commit()
    answer = _answer("popularity_score==1.0.0", 0.2, step=2.5, at=2, product_id="a")
    code, found = _check(run, tmp_path, answer)
    assert (code, found["popularity_score==1.0.0"]["same"]) == (0, 1)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "line 1"),
        ('{"feature": "a"}', "line 1, answered_at"),
        (
            '{"answered_at": "2026-06-01T00:00", "feature": "a", "keys": {}, "value": 1}',
            "timezone",
        ),
    ],
)
def test_bad_lines_are_named(run: Run, tmp_path: Path, line: str, error: str) -> None:
    """With what is wrong."""
    path = tmp_path / "answers.jsonl"
    path.write_text(line)
    result = run("parity", path)
    assert isinstance(result.exception, ContractViolation)
    assert error in str(result.exception)
    assert isinstance(run("parity", tmp_path / "nothing").exception, ConfigurationError)
