"""Real servers on this machine for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger

import pytest


@contextmanager
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the S3 protocol, with an empty bucket; yields the URI of the bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    from studyhub.object_store import file_system

    getLogger("werkzeug").setLevel(ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="basins")
        file_system.cache_clear()
        yield "s3://basins"
    finally:
        file_system.cache_clear()
        server.stop()
