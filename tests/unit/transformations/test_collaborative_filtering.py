"""A model learns tastes, repeats itself to the bit, and says how good it is."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from feature_repo.features.user_factors import PARAMETERS
from foundation.errors import ContractViolation
from transformations.computations.collaborative_filtering import fit
from transformations.computations.factor_scores import pair_scores
from transformations.computations.fitted import Fitted

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
USERS, PRODUCTS = 40, 20
_EXTRACT_ONLY = {"window_days", "half_life_days", "held_out_days"}
_FIT = {name: value for name, value in PARAMETERS.items() if name not in _EXTRACT_ONLY} | {
    "factors": 4.0,
    "top_count": 5.0,
    "min_tested_users": 10.0,
}

Rows = list[dict[str, Any]]


def _row(user: str, product: str, *, training: int, held_out: int = 0) -> dict[str, Any]:
    return {
        "user_id": user,
        "product_id": product,
        "weight": 2.0 * training + 3.0 * held_out,
        "interactions": training + held_out,
        "training_weight": 3.0 * training,
        "training_interactions": training,
    }


def _two_tastes() -> Rows:
    """Return users who like even or odd products: 5 of 10 in training, 2 more held out."""
    chance = np.random.default_rng(7)
    return [
        _row(f"u{user}", f"p{product}", training=int(place < 5), held_out=int(place >= 5))
        for user in range(USERS)
        for place, product in enumerate(chance.permutation(range(user % 2, PRODUCTS, 2))[:7])
    ]


def _fit(rows: Rows, **changes: float) -> Fitted:
    return fit(pa.Table.from_pylist(rows), as_of=AS_OF, **{**_FIT, **changes})


def _by_id(values: pa.Table, join_key: str) -> dict[str, npt.NDArray[np.float32]]:
    columns = values.to_pydict()
    vectors = np.array(columns["feature_value"], np.float32)
    return dict(zip(columns[join_key], vectors, strict=True))


def _parity(identifier: str) -> int:
    return int(identifier[1:]) % 2


def test_users_get_products_of_their_taste() -> None:
    """Every user's best products are those of the user's half, bought before or not."""
    affinities = _fit(_two_tastes()).values["user_product_affinity"].to_pylist()
    assert len(affinities) == USERS * 5
    assert all(_parity(row["user_id"]) == _parity(row["product_id"]) for row in affinities)
    bought = {(row["user_id"], row["product_id"]) for row in _two_tastes()}
    suggested = {(row["user_id"], row["product_id"]) for row in affinities}
    assert suggested - bought
    assert suggested & bought


def test_the_best_products_come_with_their_affinities() -> None:
    """A user's stored products are those of the highest scores of all, as the factors give them."""
    fitted = _fit(_two_tastes())
    users = _by_id(fitted.values["user_factors"], "user_id")
    products = _by_id(fitted.values["product_factors"], "product_id")
    stored: dict[str, dict[str, float]] = {user: {} for user in users}
    for row in fitted.values["user_product_affinity"].to_pylist():
        stored[row["user_id"]][row["product_id"]] = row["feature_value"]
    for user, factors in users.items():
        scores = pair_scores(np.tile(factors, (len(products), 1)), list(products.values()))
        every = dict(zip(products, scores.tolist(), strict=True))
        best = sorted(every, key=lambda product: -every[product])[:5]
        assert stored[user] == {product: every[product] for product in best}


def test_equal_input_gives_equal_bits_in_any_order() -> None:
    """Neither chance nor the order of rows shows in factors, affinities or metrics."""
    rows = _two_tastes()
    first, second = _fit(rows), _fit(rows[::-1])
    assert first.values == second.values
    assert first.metrics == second.metrics


@pytest.mark.parametrize("count", [1, PRODUCTS, 1_000])
def test_as_many_products_as_asked_for_or_all(count: int) -> None:
    """Each user has `top_count` affinities, or one to each product."""
    affinities = _fit(_two_tastes(), top_count=float(count)).values["user_product_affinity"]
    per_user = pc.value_counts(affinities["user_id"].combine_chunks()).field("counts").unique()
    assert per_user.to_pylist() == [min(count, PRODUCTS)]


def test_who_has_too_few_interactions_is_left_out() -> None:
    """A rare product goes, then a user who has enough interactions only with it; others stay."""
    rows = [
        *_two_tastes(),
        _row("u-few", "p0", training=4),
        _row("u-rare", "p-rare", training=4),
        _row("u-rare", "p0", training=4),
        _row("u-often", "p0", training=5),
    ]
    values = _fit(rows).values
    users = values["user_factors"]["user_id"].to_pylist()
    assert set(users) == {f"u{n}" for n in range(USERS)} | {"u-often"}
    products = values["product_factors"]["product_id"].to_pylist()
    assert set(products) == {f"p{n}" for n in range(PRODUCTS)}
    assert set(values["user_product_affinity"]["user_id"].to_pylist()) == set(users)


def test_the_model_is_measured_against_popularity() -> None:
    """Recall and NDCG at every cut-off, of the model and of what is popular, in [0, 1]."""
    metrics = _fit(_two_tastes()).metrics
    assert set(metrics) == {
        f"{prefix}{measure}_at_{cut_off}"
        for prefix in ("", "baseline_")
        for measure in ("recall", "ndcg")
        for cut_off in (5, 10, 20, 50)
    }
    assert all(0 <= value <= 1 for value in metrics.values())
    assert metrics["recall_at_10"] > metrics["baseline_recall_at_10"]
    assert metrics["ndcg_at_10"] > metrics["baseline_ndcg_at_10"]


@pytest.mark.parametrize(
    "rows",
    [
        [row | {"training_interactions": 0, "training_weight": 0.0} for row in _two_tastes()],
        [row | {"training_interactions": row["interactions"]} for row in _two_tastes()],
    ],
    ids=["nothing before", "nothing held out"],
)
def test_a_model_that_cannot_be_tested_has_no_metrics(rows: Rows) -> None:
    """Without training events or held-out ones there are values, and no metrics."""
    fitted = _fit(rows)
    assert fitted.metrics == {}
    assert fitted.values["user_factors"].num_rows == USERS


def test_a_test_on_too_few_users_is_none() -> None:
    """What a handful of users do says little about a model."""
    assert _fit(_two_tastes(), min_tested_users=USERS + 1.0).metrics == {}


def test_what_happens_in_the_time_held_out_does_not_change_the_model_tested() -> None:
    """The baseline and the model tested know training events only."""
    rows = _two_tastes()
    louder = [row | {"weight": row["weight"] * 2} for row in rows]
    assert _fit(rows).metrics == _fit(louder).metrics


@pytest.mark.parametrize("rows", [[], [_row("u1", "p1", training=4)]], ids=["empty", "too few"])
def test_nothing_to_learn_from_is_an_error(rows: Rows) -> None:
    """The error says what is lacking."""
    schema = pa.Table.from_pylist(_two_tastes()).schema
    with pytest.raises(ContractViolation, match="no users and products have 5 interactions"):
        fit(pa.Table.from_pylist(rows, schema), as_of=AS_OF, **_FIT)


def test_factors_read_back_from_json_give_the_same_score() -> None:
    """Scores don't depend on whether factors went through their shortest texts."""
    chance = np.random.default_rng(3)
    users, products = chance.normal(size=(2, 50, 64)).astype(np.float32)
    texts = [[[float(str(item)) for item in row] for row in side] for side in (users, products)]
    assert pair_scores(users, products).tolist() == pair_scores(*texts).tolist()
    expected = (users.astype(np.float64) * products).sum(axis=1)
    assert pair_scores(users, products) == pytest.approx(expected, abs=1e-11)
