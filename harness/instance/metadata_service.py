"""A client of a cloud's metadata service that is bounded in time, size and in what it asks.

It speaks to a socket of its own: no proxy is asked and no redirect followed, so a token goes
nowhere but to the service that gave it.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPException, HTTPResponse

ADDRESS = ("169.254.169.254", 80)  # link-local, the same on all four clouds: no name is looked up
TIMEOUT_S = 0.5  # for all questions together
MAX_BODY_BYTES = 64 * 2**10
MAX_ANSWER_BYTES = 2 * MAX_BODY_BYTES  # with status line, headers and the sizes of chunks
AWS_TOKEN = "/latest/api/token"
AWS_DOCUMENT = "/latest/dynamic/instance-identity/document"
AWS_LIFE_CYCLE = "/latest/meta-data/instance-life-cycle"
GCP_MACHINE_TYPE = "/computeMetadata/v1/instance/machine-type"
GCP_ZONE = "/computeMetadata/v1/instance/zone"
GCP_PREEMPTIBLE = "/computeMetadata/v1/instance/scheduling/preemptible"
AZURE_COMPUTE = "/metadata/instance/compute?api-version=2021-02-01&format=json"
OCI_INSTANCE = "/opc/v2/instance/"
ALLOWED = frozenset(
    {
        ("PUT", AWS_TOKEN), ("GET", AWS_DOCUMENT), ("GET", AWS_LIFE_CYCLE), ("GET", GCP_MACHINE_TYPE),
        ("GET", GCP_ZONE), ("GET", GCP_PREEMPTIBLE), ("GET", AZURE_COMPUTE), ("GET", OCI_INSTANCE),
    }
)  # fmt: skip


class MetadataError(Exception):
    """The service did not give a usable answer; the text never holds what it answered."""


class MetadataService:
    """One machine's metadata service.

    Args:
        address: host and port; another one than the clouds' only for tests.
        timeout_s: from now, for all questions together.
    """

    def __init__(self, address: tuple[str, int] = ADDRESS, timeout_s: float = TIMEOUT_S) -> None:
        self._address, self._deadline = address, time.monotonic() + timeout_s

    def ask(self, path: str, headers: dict[str, str], method: str = "GET") -> str:
        """The answer as text.

        Raises:
            ValueError: the path is not one of :data:`ALLOWED`.
            MetadataError: no answer in time, or one that is refused.
        """
        if (method, path) not in ALLOWED:
            raise ValueError(f"not a path that is asked for: {method} {path}")
        try:
            return self._ask(path, headers, method)
        except TimeoutError:
            raise MetadataError("the metadata service did not answer in time") from None
        except (OSError, HTTPException, ValueError):
            raise MetadataError("the metadata service gave no valid answer") from None

    def _ask(self, path: str, headers: dict[str, str], method: str) -> str:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address[0]}", "Connection: close"]
        lines += ["Content-Length: 0"] * (method == "PUT") + [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection(self._address, timeout=self._left()) as connection:
            connection.settimeout(self._left())
            connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            response = HTTPResponse(_Timed(connection, self), method=method)  # type: ignore[arg-type]
            response.begin()
            if response.status != 200:
                raise MetadataError(f"the metadata service answered with status {response.status}")
            body = response.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise MetadataError(f"the metadata service answered more than {MAX_BODY_BYTES} bytes")
        if not (response.chunked or response.getheader("Content-Length")):
            raise MetadataError("the metadata service did not say how long its answer is")
        if response.length:  # of what was promised, not yet come: a name that is cut is another name
            raise MetadataError("the metadata service did not end its answer")
        return body.decode("utf-8")

    def _left(self) -> float:
        """Seconds until the deadline."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


class _Timed(io.RawIOBase):
    """A connection whose every read has only what is left of the time: one byte a time ends as well.

    The bytes are counted here too: http.client reads a chunk of negative size to the end of the stream.
    """

    def __init__(self, connection: socket.socket, service: MetadataService) -> None:
        self._connection, self._service, self._num_bytes = connection, service, 0

    def makefile(self, mode: str) -> io.BufferedReader:
        """As of a socket, for :class:`http.client.HTTPResponse`."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes, before the deadline."""
        self._connection.settimeout(self._service._left())
        num_bytes = self._connection.recv_into(buffer)
        self._num_bytes += num_bytes
        if self._num_bytes > MAX_ANSWER_BYTES:
            raise MetadataError(f"the metadata service answered more than {MAX_BODY_BYTES} bytes")
        return num_bytes
