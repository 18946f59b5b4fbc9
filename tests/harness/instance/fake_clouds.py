"""Metadata services on loopback and machines in a folder, with secrets that must never be kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DMI = {
    "aws": {"sys_vendor": "Amazon EC2"},
    "gcp": {"product_name": "Google Compute Engine"},
    "azure": {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
    "oci": {"chassis_asset_tag": "OracleCloud.com"},
}
SECRETS = (
    "i-0c1eefab42", "123456789012", "10.9.87.65", "ip-10-9-87-65", "us-east-1f", "TOKEN-c4fe", "pod-7f3e9a", "key-51c2",
)  # fmt: skip
INSTANCE_ID, ACCOUNT, ADDRESS, HOSTNAME, ZONE, TOKEN, POD, API_KEY = SECRETS
PRIVATE = {"instanceId": INSTANCE_ID, "accountId": ACCOUNT, "privateIp": ADDRESS, "hostname": HOSTNAME}
AWS = {"instanceType": "p5.48xlarge", "region": "us-east-1", "availabilityZone": ZONE, **PRIVATE}
AZURE = {"vmSize": "Standard_ND96isr_H100_v5", "location": "eastus", "priority": "Spot", **PRIVATE}
OCI = {"shape": "BM.GPU.H100.8", "canonicalRegionName": "us-ashburn-1", **PRIVATE}
ANSWERS = {
    "/latest/api/token": TOKEN.encode(),
    "/latest/dynamic/instance-identity/document": json.dumps(AWS).encode(),
    "/latest/meta-data/instance-life-cycle": b"capacity-block",
    "/computeMetadata/v1/instance/machine-type": f"projects/{ACCOUNT}/machineTypes/a3-highgpu-8g".encode(),
    "/computeMetadata/v1/instance/zone": f"projects/{ACCOUNT}/zones/us-central1-a".encode(),
    "/computeMetadata/v1/instance/scheduling/preemptible": b"TRUE",
    "/metadata/instance/compute?api-version=2021-02-01&format=json": json.dumps(AZURE).encode(),
    "/opc/v2/instance/": json.dumps(OCI).encode(),
}
# The answer that holds each cloud's instance type, and its type's name there.
TYPE_PATH = {
    "aws": ("/latest/dynamic/instance-identity/document", "instanceType"),
    "gcp": ("/computeMetadata/v1/instance/machine-type", ""),
    "azure": ("/metadata/instance/compute?api-version=2021-02-01&format=json", "vmSize"),
    "oci": ("/opc/v2/instance/", "shape"),
}
CLOUD_INIT = {
    "v1": {
        "cloud_id": "aws", "region": "us-east-1", "availability_zone": ZONE, "instance_id": INSTANCE_ID,
        "local_hostname": HOSTNAME,
    },
    "ds": {"meta_data": {"local_ipv4": ADDRESS, "account": ACCOUNT}},
}  # fmt: skip


class Cloud(ThreadingHTTPServer):
    """Answers every path from a table, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.statuses = dict(ANSWERS), dict[str, int]()
        self.location, self.trickle, self.raw = "", False, b""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.where = ("127.0.0.1", self.server_port)


class Handler(BaseHTTPRequestHandler):
    """One request, whatever its method and path are."""

    server: Cloud

    def do_GET(self) -> None:
        """The answer: the raw bytes if any are set, else by the path."""
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        try:
            if self.server.raw:
                self.wfile.write(self.server.raw)
                return
            body = self.server.answers.get(self.path, b"?")
            self.send_response(self.server.statuses.get(self.path, 200))
            self.send_header("Content-Length", str(len(body)))
            if self.server.location:
                self.send_header("Location", self.server.location)
            self.end_headers()
            for part in [bytes([byte]) for byte in body] if self.server.trickle else [body]:
                self.wfile.write(part)
                time.sleep(0.1 if self.server.trickle else 0)
        except OSError:  # the other side has heard enough
            pass

    do_PUT = do_CONNECT = do_POST = do_GET  # noqa: N815  the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@contextmanager
def served() -> Iterator[Cloud]:
    """A cloud while the block lasts."""
    with Cloud() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def machine(root: Path, fields: Mapping[str, str | bytes], cloud_init: Any = None) -> Path:
    """A file system that has these DMI fields, and cloud-init's data where given."""
    folder = root / "sys/class/dmi/id"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in fields.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
    if cloud_init is not None:
        file = root / "run/cloud-init/instance-data.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(cloud_init if isinstance(cloud_init, bytes) else json.dumps(cloud_init).encode())
    return root
