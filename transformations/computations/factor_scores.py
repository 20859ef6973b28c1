"""Affinities from the factors of users and products: of given pairs, and the best of each user."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Factors = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float64]

# What differs between machines, which add up in different orders, lies far below this.
_DECIMALS = 12
# 32 MB: enough for fast products of matrices, whatever the catalog's size.
_BATCH_NUMBERS = 4_000_000


def pair_scores(user_factors: npt.ArrayLike, product_factors: npt.ArrayLike) -> Scores:
    """
    Return the affinity of each pair: the dot product of its user's and its product's factors.

    It is the same number whether the factors come from a model or were read back from a store.

    Args:
        user_factors: Float32, or numbers that are; pairs by factors, one row a pair.
        product_factors: The same.

    Returns:
        One score a pair, float64, rounded to 12 decimals.
    """
    users = np.asarray(user_factors, np.float32).astype(np.float64)
    products = np.asarray(product_factors, np.float32).astype(np.float64)
    scores: Scores = (users * products).sum(axis=1).round(_DECIMALS)
    return scores


def top_products(
    user_factors: Factors,
    product_factors: Factors,
    *,
    count: int,
    batch_numbers: int = _BATCH_NUMBERS,
) -> tuple[Positions, Scores]:
    """
    Find the products of the highest affinity of each user.

    Args:
        user_factors: Users by factors.
        product_factors: Products by factors.
        count: How many products; if there are fewer, all.
        batch_numbers: About how many numbers a thread has in memory, besides the result.

    Returns:
        Rows of `product_factors`, the best first, and their scores as `pair_scores` gives them;
        both users by count.
    """
    count = min(count, len(product_factors))
    by_factor = product_factors.astype(np.float64).T
    top = np.empty((len(user_factors), count), np.int32)
    scores = np.empty(top.shape)
    step = max(1, batch_numbers // max(len(product_factors), count * len(by_factor), 1))

    def find(start: int) -> None:
        users = user_factors[start : start + step]
        negated = -(users.astype(np.float64) @ by_factor)
        best = np.argpartition(negated, count - 1, axis=1)[:, :count]
        # Of equals the first: by position, then, keeping that order, by score.
        best.sort(axis=1)
        order = np.argsort(np.take_along_axis(negated, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        top[start : start + step] = best
        scores[start : start + step] = pair_scores(
            np.repeat(users, count, axis=0), product_factors[best.ravel()]
        ).reshape(best.shape)

    # A thread a batch: how a product of matrices is cut up among threads shows in its last bits.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(find, range(0, len(user_factors), step)))
    return top, scores
