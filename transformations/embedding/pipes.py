"""A child process that answers lines with lines, without ever waiting for it in vain."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

from foundation.errors import ConfigurationError, ContractViolation, EmbeddingUnavailable

_CHUNK_BYTES = 65_536
# A process that never ends its line must not fill the memory.
_LONGEST_ANSWER_BYTES = 64 * 1024 * 1024
_KEPT_ERROR_BYTES = 4_096
_SHOWN_ERROR_LINES = 5
# How long a process may take to end after its input has.
_GRACE_SECONDS = 2.0


class ProcessDied(EmbeddingUnavailable):
    """The process ended before it answered."""


class Pipes:
    """
    A running process with its three pipes, none of which ever blocks.

    Args:
        command: The program and its arguments.

    Attributes:
        has_answered: Whether it has done so before, and so is done with starting.

    Raises:
        ConfigurationError: The program can't be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user names it
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # it may be a script that starts the model
            )
        except OSError as error:
            raise ConfigurationError(
                f"the embedding command can't be started: {error}",
                hint="FEATURE_STORE_EMBEDDING_COMMAND names it.",
            ) from error
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101, PT018 - for mypy
        self._stdin = self._process.stdin.fileno()
        self._stdout = self._process.stdout.fileno()
        self._stderr = self._process.stderr.fileno()
        for pipe in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(pipe, False)
        self._answer = bytearray()
        self._errors = b""
        self.has_answered = False

    def exchange(self, request: bytes, *, timeout_seconds: float) -> bytes:
        """
        Send a line and return the line that answers it.

        Raises:
            ContractViolation: It said something unasked, or its answer does not end.
            EmbeddingUnavailable: It did not answer in time.
            ProcessDied: It ended.
        """
        deadline = time.monotonic() + timeout_seconds
        with selectors.DefaultSelector() as selector:
            for pipe in (self._stdout, self._stderr):
                selector.register(pipe, selectors.EVENT_READ)
            if any(key.fd == self._stdout for key, _ in selector.select(0)):
                self._read_answer()
                raise _unasked(self._answer)
            selector.register(self._stdin, selectors.EVENT_WRITE)
            unsent = memoryview(request)
            while b"\n" not in self._answer:
                ready = [key.fd for key, _ in selector.select(deadline - time.monotonic())]
                if not ready and time.monotonic() >= deadline:
                    raise EmbeddingUnavailable(
                        f"the embedding process did not answer within {timeout_seconds:g} s"
                        + self._last_words(),
                        hint="FEATURE_STORE_EMBEDDING_TIMEOUT_SECONDS is the limit of jobs, and "
                        "of a gateway's first answer.",
                    )
                if self._stderr in ready and not self._read_errors():
                    selector.unregister(self._stderr)
                if self._stdout in ready:
                    self._read_answer()
                elif self._stdin in ready:
                    unsent = self._send(unsent)
                    if not unsent:
                        selector.unregister(self._stdin)
        answer, _, rest = bytes(self._answer).partition(b"\n")
        if rest:
            raise _unasked(self._answer)
        self._answer.clear()
        self.has_answered = True
        return answer

    def kill(self) -> None:
        """End the process and all that it started, at once; any thread may, during an exchange."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process: its input ends, and after a moment it is killed."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            return unsent[os.write(self._stdin, unsent[:_CHUNK_BYTES]) :]
        except BrokenPipeError:
            raise self._died() from None

    def _read_answer(self) -> None:
        chunk = os.read(self._stdout, _CHUNK_BYTES)
        if not chunk:
            raise self._died()
        self._answer += chunk
        if len(self._answer) > _LONGEST_ANSWER_BYTES:
            raise ContractViolation("the embedding process answered with a line that does not end")

    def _read_errors(self) -> bool:
        chunk = os.read(self._stderr, _CHUNK_BYTES)
        self._errors = (self._errors + chunk)[-_KEPT_ERROR_BYTES:]
        return bool(chunk)

    def _died(self) -> ProcessDied:
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_GRACE_SECONDS)
        while self._has_errors() and self._read_errors():
            pass
        return ProcessDied(f"the embedding process ended with code {code}" + self._last_words())

    def _has_errors(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stderr, selectors.EVENT_READ)
            return bool(selector.select(0))

    def _last_words(self) -> str:
        lines = self._errors.decode(errors="replace").splitlines()[-_SHOWN_ERROR_LINES:]
        return ":\n" + "\n".join(lines) if lines else ""


def _unasked(written: bytearray) -> ContractViolation:
    return ContractViolation(
        f"the embedding process wrote more than one answer: {bytes(written[:100])!r}",
        hint="Its standard output is for answers, one line each; all else belongs to standard "
        "error.",
    )
