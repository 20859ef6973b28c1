"""Recall, NDCG and the best products equal slow, obvious references."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from transformations.computations import ranking_quality as quality
from transformations.computations.factor_scores import top_products

PRODUCTS = 12


@st.composite
def _lists(draw: st.DrawFn) -> tuple[list[list[int]], list[set[int]]]:
    """Return users' ranked products, all of one length, and the products that were right."""
    length = draw(st.integers(1, PRODUCTS))
    permutation = st.permutations(range(PRODUCTS)).map(lambda order: list(order)[:length])
    user_count = draw(st.integers(0, 8))
    ranked = draw(st.lists(permutation, min_size=user_count, max_size=user_count))
    relevant = st.sets(st.integers(0, PRODUCTS - 1))
    return ranked, draw(st.lists(relevant, min_size=user_count, max_size=user_count))


def _matrix(relevant: list[set[int]]) -> csr_matrix:
    dense = np.zeros((len(relevant), PRODUCTS), bool)
    for user, products in enumerate(relevant):
        dense[user, list(products)] = True
    return csr_matrix(dense)


def _recall(ranked: list[int], relevant: set[int], cut_off: int) -> float:
    return len(relevant & set(ranked[:cut_off])) / len(relevant)


def _ndcg(ranked: list[int], relevant: set[int], cut_off: int) -> float:
    gained = sum(
        1 / math.log2(place + 1)
        for place, product in enumerate(ranked[:cut_off], start=1)
        if product in relevant
    )
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(relevant), cut_off) + 1))
    return gained / best


@given(lists=_lists(), batch_users=st.integers(1, 4))
def test_quality_equals_its_reference(
    lists: tuple[list[list[int]], list[set[int]]], batch_users: int
) -> None:
    """Means over the users that have a relevant product, however they are cut into batches."""
    ranked, relevant = lists
    cut_offs = (1, 3, 20)
    counting = [pair for pair in zip(ranked, relevant, strict=True) if pair[1]]
    expected = {
        f"{name}_at_{n}": sum(measure(*pair, n) for pair in counting) / len(counting)
        for name, measure in (("recall", _recall), ("ndcg", _ndcg))
        for n in cut_offs
        if counting
    }
    width = len(ranked[0]) if ranked else 1
    found = quality.ranking_quality(
        np.array(ranked, np.int32).reshape(-1, width),
        _matrix(relevant),
        cut_offs=cut_offs,
        batch_users=batch_users,
    )
    assert found == pytest.approx(expected)


whole_numbers = st.integers(-3, 3).map(float)  # so that ties are many and sums exact


@given(data=st.data(), users=st.integers(0, 6), products=st.integers(1, 9))
def test_the_best_products_equal_a_full_sort(data: Any, users: int, products: int) -> None:  # noqa: ANN401 - Hypothesis does not export its type
    """By score, in order, whatever the sizes of the batches."""
    count, batch_numbers = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 40))

    def matrix(rows: int) -> Any:  # noqa: ANN401 - an array
        numbers = data.draw(st.lists(whole_numbers, min_size=rows * 2, max_size=rows * 2))
        return np.array(numbers, np.float32).reshape(rows, 2)

    user_factors, product_factors = matrix(users), matrix(products)
    top, top_scores = top_products(
        user_factors, product_factors, count=count, batch_numbers=batch_numbers
    )
    assert top.shape == (users, min(count, products))
    for user, best in enumerate(top):
        scores = product_factors @ user_factors[user]
        assert scores[best].tolist() == sorted(scores, reverse=True)[:count]
        assert top_scores[user].tolist() == scores[best].tolist()
        assert len(set(best.tolist())) == len(best)
