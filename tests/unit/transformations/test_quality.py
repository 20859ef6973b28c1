"""What must never be published is refused, for features of every type."""

from typing import Any

import pyarrow as pa
import pytest

from feature_repo.registry.metadata import FeatureType, FeatureVersion
from feature_repo.stores.json_values import VALUE_TYPES
from foundation.errors import QualityGateFailed
from tests.unit.feature_repo.registry.test_metadata import COMPLETE
from transformations.quality import gate
from transformations.quality.outputs import check_outputs

FLOAT = {"feature_type": FeatureType.FLOAT, "valid_range": (0.0, 1.0)}
MAP = {"feature_type": FeatureType.MAP, "valid_range": (0.0, 1.0), "default": None}
VECTOR = {"feature_type": FeatureType.VECTOR, "vector_length": 2, "default": None}
STRING = {"feature_type": FeatureType.STRING, "default": None}
NAN, INFINITY = float("nan"), float("inf")


def _checks(
    fields: dict[str, Any], values: list[Any], *, ids: list[str | None] | None = None
) -> list[gate.Check]:
    feature = FeatureVersion.model_validate({**COMPLETE, **fields})
    table = pa.table(
        {
            "entity_id": pa.array(ids or [f"e{n}" for n in range(len(values))], pa.string()),
            "feature_value": pa.array(values, VALUE_TYPES[feature.feature_type]),
        }
    )
    _, checks = check_outputs(
        gate.Gate(), feature, table, last_row_count=None, last_distribution=None
    )
    return checks


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (FLOAT, [0.0, 0.5, 1.0]),
        (MAP, [[("a", 0.5), ("b", 1.0)], []]),
        (VECTOR, [[-5.0, 5.0], [0.0, 0.0]]),
        (STRING, ["", "x"]),
    ],
)
def test_sound_values_pass(fields: dict[str, Any], values: list[Any]) -> None:
    """Values within range, of every type, and empty maps."""
    gate.refuse_failures(_checks(fields, values))


@pytest.mark.parametrize(
    ("fields", "values", "check_type", "row"),
    [
        (FLOAT, [0.5, NAN], "null", "e1"),
        (FLOAT, [0.5, None], "null", "e1"),
        (FLOAT, [0.5, INFINITY], "range", "e1"),
        (FLOAT, [0.5, 1.5], "range", "e1"),
        ({"feature_type": FeatureType.FLOAT}, [0.5, -INFINITY], "range", "e1"),
        (MAP, [[("a", 0.5)], [("b", NAN)]], "null", "e1"),
        (MAP, [[("a", 0.5)], [("b", 1.5)]], "range", "e1"),
        (MAP, [[("a", 0.5)], None], "null", "e1"),
        (VECTOR, [[1.0, 2.0], [1.0]], "vector_length", "e1"),
        (VECTOR, [[1.0, 2.0], [1.0, INFINITY]], "range", "e1"),
        (STRING, ["x", None], "null", "e1"),
    ],
)
def test_unsound_values_are_refused(
    fields: dict[str, Any], values: list[Any], check_type: str, row: str
) -> None:
    """The check that fails says which entity it was."""
    checks = _checks(fields, values)
    with pytest.raises(QualityGateFailed):
        gate.refuse_failures(checks)
    failed = [check for check in checks if not check.success]
    assert [check.check_type for check in failed] == [check_type]
    assert [sample["row"] for sample in failed[0].samples] == [row]


@pytest.mark.parametrize(
    ("ids", "check_type"), [(["a", None], "null_key"), (["a", "a"], "duplicate_key")]
)
def test_every_value_needs_an_entity_of_its_own(ids: list[str | None], check_type: str) -> None:
    """Null and repeated entity ids are refused."""
    failed = [check for check in _checks(FLOAT, [0.1, 0.2], ids=ids) if not check.success]
    assert [check.check_type for check in failed] == [check_type]


def test_no_values_at_all_are_refused() -> None:
    """An empty result is a failure, not a feature without entities."""
    failed = [check for check in _checks(FLOAT, []) if not check.success]
    assert [check.check_type for check in failed] == ["row_count"]
