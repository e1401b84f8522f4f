"""A real S3 server on loopback: SeaweedFS in one process, with a bucket, gone afterwards."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

KEY, SECRET, BUCKET = "tester", "a-secret-of-the-tests", "lake"
WEED = Path(sys.executable).with_name("weed")


@dataclass(frozen=True)
class ObjectStore:
    """Where it is, and the environment in which `s3://` addresses lead there."""

    endpoint: str
    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Start it on free ports and wait until it takes an object."""
    identity = {
        "name": KEY,
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip((*names, *(f"{one}.port.grpc" for one in names)), free_ports(8), strict=True))
    command = [
        str(WEED),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-filer",
        "-s3",
    ]
    command += [f"-s3.config={config}", "-master.volumeSizeLimitMB=64", "-volume.max=20"]
    command += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-{name}.port={ports[name]}" for name in names]
    command += [f"-{name}={port}" for name, port in ports.items() if name.endswith("grpc")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        found = ObjectStore(f"http://127.0.0.1:{ports['s3']}", f"s3://{BUCKET}/hounsfield")
        _await_bucket(found, server, folder / "server.log")
        yield found
    finally:
        server.kill()
        server.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody has; SeaweedFS wants none above 55,535 where it derives others from them."""
    with ExitStack() as stack:
        ports: list[int] = []
        candidate = 20_000 + (time.monotonic_ns() // 1000) % 20_000
        while len(ports) < count:
            candidate += 1
            probe = stack.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            ports.append(candidate)
        return ports


def _await_bucket(found: ObjectStore, server: subprocess.Popen[bytes], log: Path) -> None:
    import httpx

    store = S3Store(
        BUCKET,
        endpoint=found.endpoint,
        access_key_id=KEY,
        secret_access_key=SECRET,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    until = time.monotonic() + 60
    last: Exception | None = None
    while time.monotonic() < until and server.poll() is None:
        try:
            _make_bucket(found)
            obstore.put(store, "ready", b"yes")
        except (BaseError, httpx.TransportError) as error:
            last = error
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"the object store does not answer ({last}): {log.read_text()[-2000:]}")


def _make_bucket(found: ObjectStore) -> None:
    """Signed as AWS wants it (Signature Version 4): obstore makes no buckets."""
    import hashlib
    import hmac
    from datetime import UTC, datetime

    import httpx

    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    day, host = moment[:8], found.endpoint.removeprefix("http://")
    empty = hashlib.sha256(b"").hexdigest()
    signed = "host;x-amz-content-sha256;x-amz-date"
    request = f"PUT\n/{BUCKET}\n\nhost:{host}\nx-amz-content-sha256:{empty}\nx-amz-date:{moment}\n\n{signed}\n{empty}"
    scope = f"{day}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    httpx.put(
        f"{found.endpoint}/{BUCKET}",
        headers={
            "x-amz-content-sha256": empty,
            "x-amz-date": moment,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={signed},"
            f" Signature={signature}",
        },
    )
