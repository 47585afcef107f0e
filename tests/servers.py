"""Real servers on this machine for tests."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging import ERROR, getLogger
from select import select
from threading import Thread

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


class Proxy:
    """Passes connections on to a server, unless it is ``closed``; then they are refused, and those there are end."""

    def __init__(self, address: str):
        host, _, port = address.removeprefix("http://").partition(":")
        self._server, self._closed, self._open = (host, int(port)), False, set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def closed(self) -> bool:
        return self._closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self._closed = closed
        for one in list(self._open) if closed else ():
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Proxy":
        self._accepting = Thread(target=self._accept)
        self._accepting.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        passing = []
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.closed:
                    near.close()
                else:
                    passing.append(Thread(target=self._pass, args=(near, socket.create_connection(self._server))))
                    passing[-1].start()
        for thread in passing:
            thread.join()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        """Pass on what either side says until one of them ends."""
        self._open |= {near, far}
        other = {near: far, far: near}
        with suppress(OSError), near, far:
            while True:
                for one in select([near, far], [], [])[0]:
                    content = one.recv(65536)
                    if not content:
                        return
                    other[one].sendall(content)
