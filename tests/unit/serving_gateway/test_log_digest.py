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


def test_an_error_is_logged_once_for_all_of_its_kind() -> None:
    """With the traceback of the first."""
    digest = LogDigest()
    errors = [ValueError(str(number)) for number in range(3)]
    for error in errors:
        digest.add_error("tier_failed", error, tier="online")
    with capture_logs() as lines:
        digest.flush()
        digest.flush()
    [line] = lines
    assert (line["log_level"], line["count"], line["exc_info"]) == ("error", 3, errors[0])
