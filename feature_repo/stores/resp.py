"""
Redis commands as bytes of its protocol (RESP), built from Arrow columns.

Building the bytes with Arrow's kernels, instead of handing a Python object per value to the client,
is what makes bulk writes fast.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def bulk_strings(texts: pa.StringArray) -> pa.StringArray:
    """Return texts as bulk strings."""
    length = pc.cast(pc.binary_length(texts), pa.string())
    return pc.binary_join_element_wise("$", length, "\r\n", texts, "\r\n", "")


def script_calls(
    sha: str,
    keys: pa.StringArray,
    arguments: pa.StringArray,
    *,
    first_arguments: Sequence[int],
    lengths: Sequence[int],
) -> list[bytes]:
    """
    Return calls of a loaded script that together take all rows.

    Args:
        sha: Digest of the script.
        keys: Each row's key, a bulk string.
        arguments: Each row's argument, a bulk string.
        first_arguments: What stands before the rows' arguments in each call.
        lengths: How many rows each call takes; they add up to all.
    """
    key_text, key_offsets = _text(keys)
    argument_text, argument_offsets = _text(arguments)
    calls, start = [], 0
    for first_argument, length in zip(first_arguments, lengths, strict=True):
        stop = start + length
        head = [f"*{4 + 2 * length}\r\n".encode(), *map(_bulk, ("EVALSHA", sha, str(length)))]
        calls.append(
            b"".join(head)
            + key_text[key_offsets[start] : key_offsets[stop]]
            + _bulk(str(first_argument))
            + argument_text[argument_offsets[start] : argument_offsets[stop]]
        )
        start = stop
    return calls


def _bulk(text: str) -> bytes:
    encoded = text.encode()
    return b"$%d\r\n%s\r\n" % (len(encoded), encoded)


def _text(array: pa.StringArray) -> tuple[memoryview, list[int]]:
    _, offsets, text = array.buffers()
    first = array.offset
    bounds = np.frombuffer(offsets, np.int32)[first : first + len(array) + 1]
    return memoryview(text), bounds.tolist()
