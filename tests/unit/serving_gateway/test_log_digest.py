"""A storm of misses is a few lines of logs."""

from structlog.testing import capture_logs

from serving_gateway.log_digest import LogDigest


def test_a_hundred_thousand_misses_are_a_line_for_each_feature() -> None:
    """And none of them is lost, nor told twice."""
    digest = LogDigest()
    for number in range(100_000):
        digest.add("feature_miss", 2, tier="online", feature=f"feature_{number % 3}==1.0.0")
    with capture_logs() as lines:
        digest.flush()
        digest.flush()
    assert [line["event"] for line in lines] == ["feature_miss"] * 3
    assert sum(line["count"] for line in lines) == 200_000
