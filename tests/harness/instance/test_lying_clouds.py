"""Metadata services that lie, hang, end early or send elsewhere: the provider is kept, and why no more."""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.instance.identify import identify
from tests.harness.instance.fake_clouds import DMI, SECRETS, TYPE_PATH, Cloud, machine, served

STRICT = re.compile(r"[A-Za-z0-9._-]{1,64}")
HANG_S = 3.0  # generous: far above the limit of 0.5 s, far below a hang
# What stands where the instance type should be.
BAD_TYPES: list[object] = [
    3, None, True, ["p5"], {"a": 1}, "", "p5\n.48xlarge", "\x1b[31mp5", "=1+1", "+1", "@SUM(A1)", "a" * 65, "p5 48", "p5/x",
    "p5,x", '"', "ｐ5", "\u202ep5",
]  # fmt: skip
BAD_BODIES = [
    b"",
    b"<html>p5.48xlarge</html>",
    b"[1]",
    b"null",
    b"3",
    b"\xff\x00\xfe",
    b'{"a": ' + b"[" * 60_000,
    b"x" * 10**7,
]


def assert_provider_alone(provider: str, cloud: Cloud, root: Path) -> str:
    """No type, no region, no pricing; the reason, which holds nothing that was answered."""
    begin = time.monotonic()
    found = identify(variables={}, root=machine(root, DMI[provider]), address=cloud.where).instance
    assert time.monotonic() - begin < HANG_S
    assert found
    assert (found.provider, found.instance_type, found.region, found.pricing) == (provider, None, None, None)
    assert found.evidence == "DMI"
    assert "metadata service" in found.reason
    assert found.reason.isprintable()
    assert len(found.reason) < 100
    assert not any(secret in repr(found) for secret in SECRETS)
    return found.reason


# Google's answers are plain text, in which these are names.
LIES = [(name, body) for name in DMI for body in BAD_BODIES if name != "gcp" or body not in (b"3", b"null")]
BAD_NAMES = [
    (name, value) for name in DMI for value in BAD_TYPES if name != "gcp" or (isinstance(value, str) and value != "p5/x")
]  # fmt: skip


@pytest.mark.parametrize(("provider", "body"), LIES, ids=lambda lie: repr(lie[:12]))
def test_a_body_that_is_none(provider: str, body: bytes, cloud: Cloud, tmp_path: Path) -> None:
    cloud.answers[TYPE_PATH[provider][0]] = body
    reason = assert_provider_alone(provider, cloud, tmp_path)
    if len(body) == 10**7:
        assert reason == "the metadata service answered more than 65536 bytes"


@pytest.mark.parametrize(("provider", "value"), BAD_NAMES, ids=ascii)
def test_an_instance_type_that_is_none(provider: str, value: object, cloud: Cloud, tmp_path: Path) -> None:
    path, key = TYPE_PATH[provider]
    if not key:
        cloud.answers[path] = f"projects/1/machineTypes/{value}".encode()
    else:
        cloud.answers[path] = json.dumps(json.loads(cloud.answers[path]) | {key: value}).encode()
    assert "valid" in assert_provider_alone(provider, cloud, tmp_path)


@pytest.mark.parametrize("provider", DMI)
def test_a_redirect_is_not_followed(provider: str, cloud: Cloud, stranger: Cloud, tmp_path: Path) -> None:
    cloud.location = f"http://127.0.0.1:{stranger.server_port}/latest/api/token"
    cloud.statuses = dict.fromkeys(cloud.answers, 302)
    assert assert_provider_alone(provider, cloud, tmp_path).endswith("status 302")
    assert len(cloud.asked) == 1
    assert stranger.asked == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_aws_without_a_token_is_asked_nothing(status: int, cloud: Cloud, tmp_path: Path) -> None:
    cloud.statuses["/latest/api/token"] = status
    assert_provider_alone("aws", cloud, tmp_path)
    assert [(method, path) for method, path, _ in cloud.asked] == [("PUT", "/latest/api/token")]


@pytest.mark.parametrize("token", [b"", b"a\r\nX-Evil: 1", b"\x00", b"t" * 1025, "é".encode()])
def test_aws_with_a_bad_token_is_asked_nothing(token: bytes, cloud: Cloud, tmp_path: Path) -> None:
    cloud.answers["/latest/api/token"] = token
    assert_provider_alone("aws", cloud, tmp_path)
    assert len(cloud.asked) == 1


@pytest.mark.parametrize("provider", DMI)
def test_one_byte_a_time_is_cut(provider: str, cloud: Cloud, tmp_path: Path) -> None:
    cloud.trickle = True
    assert "in time" in assert_provider_alone(provider, cloud, tmp_path)


@contextmanager
def mute(closes: bool) -> Iterator[tuple[str, int]]:
    """A server that accepts and says nothing: it ends the connection at once, or never."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                if closes:
                    connection.close()
                else:
                    held.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


@pytest.mark.parametrize("provider", DMI)
@pytest.mark.parametrize(("closes", "reason"), [(False, "did not answer in time"), (True, "gave no valid answer")])
def test_a_service_that_says_nothing(closes: bool, reason: str, provider: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    with mute(closes) as address:
        found = identify(variables={}, root=machine(tmp_path, DMI[provider]), address=address).instance
    assert time.monotonic() - begin < HANG_S
    assert found
    assert (found.provider, found.instance_type) == (provider, None)
    assert found.reason == f"the metadata service {reason}"


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
    found = identify(variables={}, root=machine(tmp_path, DMI["aws"]), address=address).instance
    assert found
    assert found.reason == "the metadata service gave no valid answer"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 10**7,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        b"HTTP/9.9 200 OK\r\n\r\n{}", b"SSH-2.0-x\r\n", b"\x00" * 100, b"A" * 10**6, b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=lambda raw: repr(raw[:60]),
)  # fmt: skip
@pytest.mark.parametrize("provider", DMI)
def test_what_is_no_http(provider: str, raw: bytes, cloud: Cloud, tmp_path: Path) -> None:
    cloud.raw = raw
    assert_provider_alone(provider, cloud, tmp_path)
    assert len(cloud.asked) == 1


def test_an_endless_answer_is_cut_by_its_bytes(cloud: Cloud, tmp_path: Path) -> None:
    """http.client takes a chunk of negative size as: all there is."""
    cloud.raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 10**7
    assert assert_provider_alone("oci", cloud, tmp_path).endswith("more than 65536 bytes")


HEADS = st.one_of(
    st.binary(max_size=200),
    st.builds(b"HTTP/1.%d %b %b\r\n\r\n".__mod__, st.tuples(st.integers(0, 9), st.binary(max_size=5), st.binary(max_size=20))),
    st.just(b"HTTP/1.1 200 OK\r\n\r\n"),
    st.just(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
)  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=500),
    st.dictionaries(st.sampled_from(["instanceType", "region", "vmSize", "location", "shape"]), st.text(max_size=70)).map(
        lambda answer: json.dumps(answer).encode()
    ),
)  # fmt: skip


@given(head=HEADS, body=BODIES, provider=st.sampled_from(sorted(DMI)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_for_an_answer(head: bytes, body: bytes, provider: str) -> None:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, served() as cloud:
        cloud.raw = head + body or b"\n"
        found = identify(variables={}, root=machine(Path(folder), DMI[provider]), address=cloud.where).instance
    assert time.monotonic() - begin < HANG_S
    assert found
    assert found.provider == provider
    assert all(name is None or STRICT.fullmatch(name) for name in (found.instance_type, found.region))
    assert found.pricing in (None, "spot", "on_demand", "capacity_block")
    assert found.instance_type or found.reason
    assert found.reason.isprintable()


def test_a_name_that_may_have_been_cut_off_is_none(cloud: Cloud, tmp_path: Path) -> None:
    """An answer that does not say how long it is ends wherever its connection does."""
    cloud.raw = b"HTTP/1.0 200 OK\r\n\r\nprojects/1/machineTypes/n1-standard-1"
    assert "did not say how long its answer is" in assert_provider_alone("gcp", cloud, tmp_path)
