"""Train on the earlier weeks, test on the last one, with and without each feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from examples.bought_within_a_week.rows import LABEL
from foundation.errors import ContractViolation

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """
    How well the model ranks what it has not seen.

    Attributes:
        trained_rows: How many rows it learnt from.
        tested_rows: How many it was tested on, all of a later week.
        auc: Area under the ROC curve, with all features.
        auc_without: The same by feature, of a model that does not have it.
        auc_alone: The same by feature, of a model that has nothing else.
        unknown: Features that had no value in any row.
    """

    trained_rows: int
    tested_rows: int
    auc: float
    auc_without: Mapping[str, float]
    auc_alone: Mapping[str, float]
    unknown: Sequence[str]


def evaluate(table: pa.Table, features: Sequence[str]) -> Evaluation:
    """
    Train and test.

    Args:
        table: A training set; its rows of the last event_timestamp are for the test.
        features: Columns to learn from. Of a map, what it says of the row's category counts.

    Raises:
        ContractViolation: All rows are of one instant, or all labels of a side are equal.
    """
    inputs = {name: _numbers(table, name) for name in features}
    unknown = [name for name, column in inputs.items() if np.isnan(column).all()]
    known = {name: column for name, column in inputs.items() if name not in unknown}
    labels = table[LABEL].to_numpy()
    times = table["event_timestamp"].to_numpy()
    tested = times == times.max()
    if not (_has_both(labels[tested]) and _has_both(labels[~tested])):
        raise ContractViolation(
            "there are not purchases and others both before the last week and in it",
            hint="Take more weeks.",
        )

    def auc(names: Sequence[str]) -> float:
        columns = np.column_stack([known[name] for name in names])
        # Missing values are a branch of their own to it, so none need be made up.
        model = HistGradientBoostingClassifier(max_iter=80, early_stopping=False, random_state=0)
        # Several threads add up in an order that differs from run to run.
        with threadpool_limits(1):
            model.fit(columns[~tested], labels[~tested])
            scores = model.predict_proba(columns[tested])[:, 1]
        return float(roc_auc_score(labels[tested], scores))

    return Evaluation(
        trained_rows=int((~tested).sum()),
        tested_rows=int(tested.sum()),
        auc=auc(list(known)),
        auc_without={
            name: auc([other for other in known if other != name])
            for name in known
            if len(known) > 1
        },
        auc_alone={name: auc([name]) for name in known},
        unknown=unknown,
    )


def _numbers(table: pa.Table, name: str) -> Numbers:
    column = table[name].combine_chunks()
    if pa.types.is_map(column.type):
        categories = table["category"].to_pylist()
        column = pa.array(
            [
                None if items is None else dict(items).get(category, 0.0)
                for items, category in zip(column.to_pylist(), categories, strict=True)
            ],
            pa.float64(),
        )
    numbers: Numbers = pc.cast(column, pa.float64()).fill_null(np.nan).to_numpy()
    return numbers


def _has_both(labels: npt.NDArray[np.int8]) -> bool:
    return len(np.unique(labels)) == 2  # noqa: PLR2004 - bought, and not
