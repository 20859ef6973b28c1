"""
Which products each user is drawn to, learnt from what similar users turned to.

Implicit-feedback ALS (Hu, Koren, Volinsky 2008): users and products get vectors of factors such
that the dot product of a user's and a product's comes near 1 where there were interactions, and
near 0 where there were none, the surer the more there were.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ibis import _
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from foundation.errors import ContractViolation
from transformations.computations.decay import event_weight, events_within, instant, rounded
from transformations.computations.factor_scores import Factors, pair_scores, top_products
from transformations.computations.fitted import Fitted
from transformations.computations.ranking_quality import ranking_quality

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_CUT_OFFS = (5, 10, 20, 50)
_SEED = 0


def extract(
    *,
    events: ir.Table,
    products: ir.Table,
    as_of: datetime,
    window_days: float,
    half_life_days: float,
    held_out_days: float,
) -> ir.Table:
    """
    Sum up what each user did with each product: in all, and before the time that is held out.

    Args:
        events: user_id, product_id, event_type, event_timestamp; one row an event.
        products: product_id, created_at; events of products that aren't there yet don't count.
        as_of: Aware instant of the answer; later events and products don't count.
        window_days: Length of the window that ends at `as_of`.
        half_life_days: Age at which an interaction weighs half.
        held_out_days: Length of the time before `as_of` on which a model is tested that has been
            fitted to the time before.

    Returns:
        user_id, product_id, weight, interactions, training_weight (as of the start of the time that
        is held out), training_interactions; one row a pair with an interaction in the window.
    """
    start = as_of - timedelta(days=held_out_days)
    existing = products.filter(products.created_at <= instant(as_of))
    recent = events_within(events, as_of=as_of, window_days=window_days).semi_join(
        existing, "product_id"
    )
    weighted = recent.mutate(
        weight=event_weight(recent, as_of=as_of, half_life_days=half_life_days),
        training_weight=event_weight(recent, as_of=start, half_life_days=half_life_days),
        is_training=recent.event_timestamp <= instant(start),
    )
    return weighted.group_by("user_id", "product_id").aggregate(
        weight=rounded(_.weight.sum()),
        interactions=_.count(),
        training_weight=rounded(_.training_weight.sum(where=_.is_training).fill_null(0.0)),
        training_interactions=_.count(where=_.is_training),
    )


def fit(
    extracted: pa.Table,
    *,
    as_of: datetime,  # noqa: ARG001 - the weights are as of it already
    factors: float,
    regularization: float,
    iterations: float,
    min_interactions: float,
    top_count: float,
    min_tested_users: float,
) -> Fitted:
    """
    Fit factors to the interactions, and find each user's best products by them.

    Equal interactions give equal factors, to the bit, on one machine, on any number of threads.

    Args:
        extracted: What `extract` gives, in any order.
        as_of: Aware instant of the answer.
        factors: Number of factors of a user or product.
        regularization: What holds factors near 0, relative to the noise of the interactions; see
            `_noise`.
        iterations: How often users and products are solved for in turn.
        min_interactions: Users and products of fewer are left out. Leaving one out takes
            interactions from others, so it is repeated until all that remain have that many among
            themselves; whatever the order, the same ones remain.
        top_count: How many products of each user get an affinity; what the user has had counts too.
        min_tested_users: A model isn't measured if it could be tested on fewer users.

    Returns:
        user_factors, product_factors and user_product_affinity. The metrics are those of a model
        fitted to the training time, tested on what users turned to in the time held out, new
        products included; `baseline_` those of recommending everybody the products of the most
        interactions of the training time. There are none if too few users can be tested.

    Raises:
        ContractViolation: No users and products have enough interactions.
    """
    users, user_ids = _codes(extracted["user_id"])
    products, product_ids = _codes(extracted["product_id"])

    def interactions(weight: str, count: str) -> _Interactions:
        counts = extracted[count].to_numpy().astype(np.int64)
        return _Interactions(users, products, extracted[weight].to_numpy(), counts)

    everything = interactions("weight", "interactions")
    training = interactions("training_weight", "training_interactions")
    lasting = everything.lasting(min_interactions)
    if not len(lasting.users):
        raise ContractViolation(
            f"collaborative filtering: no users and products have {min_interactions:g} "
            "interactions among themselves",
            hint="There is nothing to learn from until the shop has more events.",
        )
    shape = _Shape(int(factors), regularization, int(iterations))
    return Fitted(
        _values(_fit_factors(lasting, shape), user_ids, product_ids, top_count=int(top_count)),
        _test(
            everything,
            training,
            shape,
            min_interactions=min_interactions,
            min_tested_users=max(1, int(min_tested_users)),
        ),
    )


def combine(wanted: pa.Table, *, user_factors: pa.Table, product_factors: pa.Table) -> pa.Table:
    """
    Compute the affinity of any pairs from stored factors.

    Args:
        wanted: user_id and product_id, distinct; no null.
        user_factors: user_id, feature_value list<float32>; one row a user.
        product_factors: product_id, feature_value list<float32>; one row a product.

    Returns:
        user_id, product_id, feature_value; no row where user or product has no factors.
    """
    of_user = pc.index_in(wanted["user_id"], user_factors["user_id"].combine_chunks())
    of_product = pc.index_in(wanted["product_id"], product_factors["product_id"].combine_chunks())
    known = pc.and_(of_user.is_valid(), of_product.is_valid())
    pairs = wanted.filter(known)
    if pairs.num_rows == 0:
        return pairs.append_column("feature_value", pa.array([], pa.float64()))
    scores = pair_scores(
        _matrix(user_factors["feature_value"], of_user.filter(known)),
        _matrix(product_factors["feature_value"], of_product.filter(known)),
    )
    return pairs.append_column("feature_value", pa.array(scores))


@dataclass(frozen=True)
class _Interactions:
    """
    What users did with products; one item a pair.

    Attributes:
        users: Code of the pair's user.
        products: Code of the pair's product.
        weights: Sum of the weights of the pair's interactions.
        counts: Number of them; a pair may have none.
    """

    users: Codes
    products: Codes
    weights: Floats
    counts: Codes

    def lasting(self, least: float) -> Self:
        """Return the pairs of users and products with `least` interactions among themselves."""
        kept = self.counts > 0
        while True:
            counts = np.where(kept, self.counts, 0)
            by_user = np.bincount(self.users, counts)
            by_product = np.bincount(self.products, counts)
            still = kept & (by_user[self.users] >= least) & (by_product[self.products] >= least)
            if np.array_equal(still, kept):
                return type(self)(
                    self.users[kept], self.products[kept], self.weights[kept], self.counts[kept]
                )
            kept = still


@dataclass(frozen=True)
class _Shape:
    """How a model is fitted: number of factors, relative regularization, iterations."""

    factors: int
    regularization: float
    iterations: int


@dataclass(frozen=True)
class _Model:
    """
    Fitted factors.

    Attributes:
        users: Codes of the users that have factors, rising.
        products: Codes of the products that have factors, rising.
        user_factors: One row a user.
        product_factors: One row a product.
    """

    users: Codes
    products: Codes
    user_factors: Factors
    product_factors: Factors


def _codes(ids: pa.ChunkedArray) -> tuple[Codes, pa.Array]:
    """Return each id's place among all ids in byte order, and those."""
    encoded = pc.dictionary_encode(ids.combine_chunks())
    order = pc.sort_indices(encoded.dictionary)
    places = np.empty(len(order), np.int64)
    places[order.to_numpy()] = np.arange(len(order))
    return places[encoded.indices.to_numpy()], encoded.dictionary.take(order)


def _fit_factors(interactions: _Interactions, shape: _Shape) -> _Model:
    # Here, because most who import this module don't fit anything, and before the limit, which
    # holds for the libraries that are loaded already.
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415

    users, rows = np.unique(interactions.users, return_inverse=True)
    products, columns = np.unique(interactions.products, return_inverse=True)
    # A pair without interactions counts once, as a 0; this is how often one with them counts.
    confidences = csr_matrix(
        ((1 + interactions.weights).astype(np.float32), (rows, columns)),
        shape=(len(users), len(products)),
    )
    confidences.sort_indices()
    # One thread: how a matrix product is cut up among threads shows in its last bits. Solving for
    # many users at once is not affected.
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(
            factors=shape.factors,
            regularization=shape.regularization * _noise(confidences),
            iterations=shape.iterations,
            random_state=_SEED,
        )
        als.fit(confidences, show_progress=False)
    return _Model(users, products, als.user_factors, als.item_factors)


def _noise(confidences: csr_matrix) -> float:
    """
    Return about the greatest singular value of a matrix like this one without any structure.

    The regularization below which a shop's tastes drown in chance, and above which factors shrink
    to 0, grows with it. A fixed number would suit shops of one size only.
    """
    total = np.square(confidences.data, dtype=np.float64).sum()
    user_count, product_count = confidences.shape
    return float(np.sqrt(total / user_count) + np.sqrt(total / product_count))


def _values(
    model: _Model, user_ids: pa.Array, product_ids: pa.Array, *, top_count: int
) -> dict[str, pa.Table]:
    users = user_ids.take(pa.array(model.users))
    products = product_ids.take(pa.array(model.products))
    top, scores = top_products(model.user_factors, model.product_factors, count=top_count)
    return {
        "user_factors": pa.table({"user_id": users, "feature_value": _vectors(model.user_factors)}),
        "product_factors": pa.table(
            {"product_id": products, "feature_value": _vectors(model.product_factors)}
        ),
        "user_product_affinity": pa.table(
            {
                "user_id": users.take(pa.array(np.repeat(np.arange(len(top)), top.shape[1]))),
                "product_id": products.take(pa.array(top.ravel())),
                "feature_value": scores.ravel(),
            }
        ),
    }


def _matrix(vectors: pa.ChunkedArray, rows: pa.ChunkedArray) -> Factors:
    chosen = vectors.combine_chunks().take(rows.combine_chunks())
    matrix: Factors = chosen.flatten().to_numpy().reshape(len(chosen), -1)
    return matrix


def _vectors(factors: Factors) -> pa.ListArray:
    ends = np.arange(len(factors) + 1, dtype=np.int32) * factors.shape[1]
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(factors.ravel()))


def _test(
    everything: _Interactions,
    training: _Interactions,
    shape: _Shape,
    *,
    min_interactions: float,
    min_tested_users: int,
) -> dict[str, float]:
    """Measure a model of the training time on the rest, against recommending what is popular."""
    known = training.lasting(min_interactions)
    held_out = everything.counts > training.counts
    tested = np.intersect1d(known.users, everything.users[held_out])
    if len(tested) < min_tested_users:
        return {}
    model = _fit_factors(known, shape)
    places = max(_CUT_OFFS)
    best, _scores = top_products(
        model.user_factors[np.searchsorted(model.users, tested)],
        model.product_factors,
        count=places,
    )
    popularity = np.bincount(training.products, training.counts)
    popular = np.argsort(-popularity, kind="stable")[: min(places, np.count_nonzero(popularity))]
    baseline = np.broadcast_to(popular, (len(tested), len(popular)))
    relevant = csr_matrix((held_out, (everything.users, everything.products)))[tested]
    quality = ranking_quality(model.products[best], relevant, cut_offs=_CUT_OFFS)
    of_baseline = ranking_quality(baseline, relevant, cut_offs=_CUT_OFFS)
    return quality | {f"baseline_{name}": value for name, value in of_baseline.items()}
