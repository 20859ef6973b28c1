"""How well lists of products agree with what users turned to afterwards."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

Hits = npt.NDArray[np.bool_]
PerUser = npt.NDArray[np.float64]

_BATCH_USERS = 4_096


def ranking_quality(
    ranked: npt.NDArray[np.integer],
    relevant: csr_matrix,
    *,
    cut_offs: Sequence[int],
    batch_users: int = _BATCH_USERS,
) -> dict[str, float]:
    """
    Return the mean recall and NDCG of the users' lists.

    Users without a relevant product don't count.

    Args:
        ranked: Products recommended to each user, as columns of `relevant`, the best first, none
            twice; users by places.
        relevant: Not zero where a product was right for a user; users by products.
        cut_offs: Lengths to which the lists are cut.
        batch_users: How many users are looked at at a time.

    Returns:
        `recall_at_<cut-off>` and `ndcg_at_<cut-off>`, [0, 1]; nothing if no user counts.
    """
    measures = {"recall": recall, "ndcg": ndcg}
    names = {f"{name}_at_{n}": (measure, n) for name, measure in measures.items() for n in cut_offs}
    sums = dict.fromkeys(names, 0.0)
    user_count = 0
    for start in range(0, relevant.shape[0], batch_users):
        batch = relevant[start : start + batch_users]
        batch.eliminate_zeros()
        relevant_counts = np.diff(batch.indptr)
        counting = relevant_counts > 0
        hits = find_hits(ranked[start : start + batch_users], batch)[counting]
        for name, (measure, cut_off) in names.items():
            sums[name] += float(measure(hits, relevant_counts[counting], cut_off).sum())
        user_count += int(counting.sum())
    return {name: total / user_count for name, total in sums.items()} if user_count else {}


def find_hits(ranked: npt.NDArray[np.integer], relevant: csr_matrix) -> Hits:
    """Tell for each place of each user's list whether the product there was right for the user."""
    user_count, product_count = relevant.shape
    users = np.arange(user_count, dtype=np.int64)
    pairs = np.repeat(users, np.diff(relevant.indptr)) * product_count + relevant.indices
    found: Hits = np.isin(users[:, np.newaxis] * product_count + ranked, pairs)
    return found


def recall(hits: Hits, relevant_counts: npt.NDArray[np.integer], cut_off: int) -> PerUser:
    """Return which share of each user's relevant products stands above the cut-off."""
    share: PerUser = hits[:, :cut_off].sum(axis=1) / relevant_counts
    return share


def ndcg(hits: Hits, relevant_counts: npt.NDArray[np.integer], cut_off: int) -> PerUser:
    """
    Return each user's normalised discounted cumulative gain.

    A hit in place n, starting at 1, gains 1 / log2(n + 1); the sum is relative to that of a list
    that starts with relevant products only.
    """
    discounts = 1 / np.log2(np.arange(2, cut_off + 2))
    gained = hits[:, :cut_off] @ discounts[: hits.shape[1]]
    ideal = np.cumsum(discounts)[np.minimum(relevant_counts, cut_off) - 1]
    gain: PerUser = gained / ideal
    return gain
