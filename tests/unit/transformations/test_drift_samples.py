"""Of pairs, values of one user are alike: they count once."""

import numpy as np
import pyarrow as pa

from tests.unit.transformations.drift_samples import FLOAT, PAIR, floats
from transformations.drift.detection import compare
from transformations.drift.samples import one_of_each

USERS, PAIRS_OF_USER = 150, 20


def _pairs(rng: np.random.Generator) -> tuple[pa.Array, pa.Array]:
    """Return ids and values of pairs, which vary from user to user more than within one."""
    ids = [f"u{user}%3A:p{n}" for user in range(USERS) for n in range(PAIRS_OF_USER)]
    of_users = np.repeat(rng.normal(size=USERS), PAIRS_OF_USER)
    return pa.array(ids), floats(of_users + 0.1 * rng.normal(size=len(ids)))


def test_one_pair_of_each_user_is_drawn() -> None:
    """Any of them, and the same each time; values of other entities stay as they are."""
    ids, values = _pairs(np.random.default_rng(1))
    drawn = one_of_each(PAIR, ids, values)
    places = {value: place for place, value in enumerate(values.to_pylist())}
    found = [places[value] for value in drawn.to_pylist()]
    assert sorted(place // PAIRS_OF_USER for place in found) == list(range(USERS))
    assert len({place % PAIRS_OF_USER for place in found}) > 10
    assert drawn.equals(one_of_each(PAIR, ids, values))
    assert one_of_each(FLOAT, ids, values) is values


def test_users_that_did_not_drift_raise_no_alarm() -> None:
    """As all of their pairs together would."""
    rng = np.random.default_rng(2)
    alarms = {"all": 0, "one": 0}
    for _ in range(40):
        before, now = _pairs(rng), _pairs(rng)
        alarms["all"] += compare(PAIR, before[1], now[1]).drifted
        one = one_of_each(PAIR, *before), one_of_each(PAIR, *now)
        alarms["one"] += compare(PAIR, *one).drifted
    assert alarms["one"] == 0
    assert alarms["all"] > 4
