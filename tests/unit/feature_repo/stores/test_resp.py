"""Redis commands are the right bytes."""

import pyarrow as pa

from feature_repo.stores.resp import bulk_strings, script_calls


def test_lengths_are_those_of_bytes() -> None:
    """Not of characters; line breaks inside a text are no ends."""
    texts = pa.array(["", "é", "a\r\nb"])
    assert bulk_strings(texts).to_pylist() == [
        "$0\r\n\r\n",
        "$2\r\né\r\n",
        "$4\r\na\r\nb\r\n",
    ]


def test_calls_take_their_rows_and_first_arguments() -> None:
    """Each call says how many arguments and keys it has, then keys, first argument, the rest."""
    rows = pa.array(["$1\r\na\r\n", "$1\r\nb\r\n", "$1\r\nc\r\n"])
    calls = script_calls("5ha", rows, rows, first_arguments=[10, 7], lengths=[2, 1])
    both, one = calls
    assert both == (
        b"*8\r\n$7\r\nEVALSHA\r\n$3\r\n5ha\r\n$1\r\n2\r\n"
        b"$1\r\na\r\n$1\r\nb\r\n$2\r\n10\r\n$1\r\na\r\n$1\r\nb\r\n"
    )
    assert one == (
        b"*6\r\n$7\r\nEVALSHA\r\n$3\r\n5ha\r\n$1\r\n1\r\n$1\r\nc\r\n$1\r\n7\r\n$1\r\nc\r\n"
    )


def test_slices_give_their_own_rows_only() -> None:
    """A slice's buffers hold what was cut away; its calls don't."""
    rows = pa.array(["$1\r\na\r\n", "$1\r\nb\r\n"])[1:]
    [call] = script_calls("5ha", rows, rows, first_arguments=[1], lengths=[1])
    assert b"$1\r\na\r\n" not in call
    assert call.count(b"$1\r\nb\r\n") == 2
