"""Rate limits are those of a bucket that fills evenly."""

from hypothesis import given
from hypothesis import strategies as st

from serving_gateway.auth.rate_limit import RateLimit

# Exact in binary, so that both ways of counting agree to the last bit.
_STEP = 0.125


@given(
    pauses=st.lists(st.integers(0, 40), max_size=60),
    per_second=st.sampled_from([0.5, 1.0, 4.0]),
    burst=st.integers(1, 5),
)
def test_a_limit_admits_what_a_bucket_would(
    pauses: list[int], per_second: float, burst: int
) -> None:
    """A bucket of `burst` tokens that gains `per_second` and loses one a request."""
    limit = RateLimit(per_second=per_second, burst=burst)
    tokens, now = float(burst), 0.0
    for pause in pauses:
        now += pause * _STEP
        tokens = min(float(burst), tokens + pause * _STEP * per_second)
        wait = limit.take("a", now=now)
        assert (wait == 0.0) == (tokens >= 1.0)
        if tokens >= 1.0:
            tokens -= 1.0
        else:
            assert wait == (1.0 - tokens) / per_second


def test_each_name_has_its_own_bucket_while_it_is_remembered() -> None:
    """Others don't matter; of too many names, the one that asked least recently is forgotten."""
    limit = RateLimit(per_second=1.0, burst=1, most_names=2)
    assert limit.take("a", now=0.0) == 0.0
    assert limit.take("b", now=0.0) == 0.0
    assert limit.take("a", now=0.5) == 0.5
    assert limit.take("c", now=0.5) == 0.0
    assert limit.wait("a", now=0.5) == 0.0
    assert limit.wait("b", now=0.5) == 0.5


def test_no_limit_is_none() -> None:
    """A rate of 0 admits everything, and remembers nothing."""
    limit = RateLimit(per_second=0.0, burst=1)
    assert [limit.take("a", now=0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.wait("a", now=0.0) == 0.0
