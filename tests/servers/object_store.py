"""An S3-compatible store on loopback, in a thread of the test: moto's. Buckets are made by name, one for each test."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from typing import Any

import boto3
from botocore.config import Config

from migrator.destinations.s3.settings import Keys, S3Settings

KEYS = Keys("AKIATESTTESTTESTTEST", "a-secret-of-the-tests")
_NUMBERS = count(1)
_GUARD = threading.Lock()


@cache
def _client(endpoint: str) -> Any:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS.access_key_id,
        aws_secret_access_key=KEYS.secret_access_key,
        config=Config(s3={"addressing_style": "path"}),
    )


@dataclass(frozen=True)
class Bucket:
    """One bucket of a store, and what somebody else does in it."""

    endpoint: str
    name: str

    @property
    def settings(self) -> S3Settings:
        return S3Settings(
            self.name, "mail/alice", self.endpoint, "us-east-1", path_style=True, timeout=5.0, keys=lambda: KEYS
        )

    def at(self, endpoint: str) -> Bucket:
        """Return the same bucket behind another address."""
        return replace(self, endpoint=endpoint)

    @property
    def client(self) -> Any:
        return _client(self.endpoint)

    def objects(self) -> dict[str, bytes]:
        """Return what stands in the bucket, by key."""
        keys = [one["Key"] for one in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())]
        return {key: self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def uploads(self) -> list[str]:
        """Return the keys of uploads in parts that were neither joined nor given up."""
        return [one["Key"] for one in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", ())]


class ObjectStoreServer:
    """The store; ``bucket`` makes a new one in it."""

    def __init__(self) -> None:
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"

    def bucket(self) -> Bucket:
        with _GUARD:
            made = Bucket(self.endpoint, f"archive-{next(_NUMBERS)}")
        made.client.create_bucket(Bucket=made.name)
        return made

    def close(self) -> None:
        self._server.stop()
