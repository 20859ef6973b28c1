"""What is gathered is what Prometheus' client would have been told one by one."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from serving_gateway.tallies import CounterTally, GatheredHistogram, HistogramTally

BUCKETS = (0.001, 0.5, 1.0)
labels = st.sampled_from(["a", "b"])
amounts = st.one_of(st.sampled_from([0.0, *BUCKETS, 2.0]), st.floats(0, 10).map(lambda x: x / 8))
# True stands for handing over.
steps = st.lists(st.one_of(st.just(True), st.tuples(labels, amounts)))


def _exposed(registry: CollectorRegistry) -> dict[str, float]:
    lines = generate_latest(registry).decode().splitlines()
    samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: round(float(value), 9) for name, value in samples if "_created" not in name}


@given(steps)
def test_observations_are_those_of_the_client(taken: list[bool | tuple[str, float]]) -> None:
    """In every bucket, on its bounds too, however often they are handed over."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = HistogramTally(GatheredHistogram("h", "d", ("l",), buckets=BUCKETS, registry=ours))
    histogram = Histogram("h", "d", ("l",), buckets=BUCKETS, registry=theirs)
    for step in taken:
        if isinstance(step, bool):
            tally.hand_over()
        else:
            tally.add((step[0],), step[1])
            histogram.labels(step[0]).observe(step[1])
    tally.hand_over()
    assert _exposed(ours) == _exposed(theirs)


@given(st.lists(st.one_of(st.just(True), st.tuples(labels, st.integers(1, 9)))))
def test_counts_are_those_of_the_client(taken: list[bool | tuple[str, int]]) -> None:
    """However often they are handed over."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = CounterTally(Counter("c", "d", ("l", "m"), registry=ours))
    counter = Counter("c", "d", ("l", "m"), registry=theirs)
    for step in taken:
        if isinstance(step, bool):
            tally.hand_over()
        else:
            tally.add((step[0], 200), step[1])
            counter.labels(step[0], 200).inc(step[1])
    tally.hand_over()
    assert _exposed(ours) == _exposed(theirs)
