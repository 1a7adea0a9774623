"""An S3 server on this machine, which can be taken away and brought back."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

BUCKET = "sweeps"


class ObjectStore:
    """A server with one empty bucket; what it holds outlives `stop`.

    Attributes:
        url: of the bucket.
        environment: variables by which the clients of any process find the server. They do not
            try again by themselves, so that an absent server is noticed at once.
    """

    url = f"s3://{BUCKET}"

    def __init__(self) -> None:
        import boto3

        # A line for each request, otherwise.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._port = 0
        self.start()
        self._port = self._server.server_port
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="anybody",
            aws_secret_access_key="anything",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=BUCKET)
        self.clear()  # what it holds belongs to this process, as would another server's

    def start(self) -> None:
        """At the same port as before."""
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        self._server = make_server(
            "127.0.0.1",
            self._port,
            _OneAtATime(DomainDispatcherApplication(create_backend_app)),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The port is closed when this returns."""
        self._server.shutdown()
        self._thread.join()

    def keys(self) -> list[str]:
        """Of all objects, as another client sees them."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def clear(self) -> None:
        for key in self.keys():
            self.client.delete_object(Bucket=BUCKET, Key=key)


class _OneAtATime:
    """The application, which forgets itself when an object is read and written at once."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return [b"".join(self._application(environ, start_response))]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server for as long as the block runs."""
    store = ObjectStore()
    try:
        yield store
    finally:
        store.stop()
        store.client.close()
