"""A local AWS of a test's own, or of all tests of one process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
from botocore.config import Config
from pydantic import SecretStr

from delivery.aws.access import AwsAccess
from delivery.ports.aws_account import AwsAccount

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


class Server:
    """A local AWS in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self._process = 0, None

    @classmethod
    def at(cls, url: str) -> "Server":
        """Return one that runs already."""
        server = cls(Path())
        server.port = int(url.rpartition(":")[2])
        return server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_id(self) -> int:
        return self._process.pid

    def start(self, minute_seconds: float | None = None) -> "Server":
        own = {} if minute_seconds is None else {"HEADWAY_LOCAL_AWS_MINUTE": f"{minute_seconds:g}"}
        argv = [sys.executable, "-m", "local_aws", "--home", str(self.home), "--port", str(self.port)]
        self._process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True)
        said = self._process.stdout.readline()
        assert said, "the local AWS did not start"
        self.port = int(said.rpartition(":")[2])
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(how)
        self._process.wait(30)
        self._process.stdout.close()

    def client(self, service: str, *, tries: int = 5, region: str = REGION, read_seconds: float = 10, **more):
        """Return a client as a user has it, or one that does not try again."""
        config = Config(retries={"mode": "standard", "total_max_attempts": tries}, read_timeout=read_seconds)
        keys = {**KEYS, **more}
        return boto3.client(service, endpoint_url=self.url, region_name=region, config=config, **keys)

    def account(self, **more) -> AwsAccount:
        """Return credentials for this AWS, as a block hands them out."""
        return AwsAccount(region=REGION, key_id="local", secret_key=SecretStr("local"), endpoint_url=self.url, **more)

    def access(self, tries: int = 5, **more) -> AwsAccess:
        """Return what the product has of this AWS."""
        return AwsAccess(self.account(**more), tries)

    def put_faults(self, *faults: dict[str, object]) -> None:
        """Let these happen, and none of those before."""
        httpx.put(f"{self.url}/headway/faults", json=faults, trust_env=False).raise_for_status()

    @contextmanager
    def faults(self, *faults: dict[str, object]) -> Iterator[None]:
        """Let these happen meanwhile, and none afterwards."""
        self.put_faults(*faults)
        try:
            yield
        finally:
            self.put_faults()

    def faults_left(self) -> list[dict[str, object]]:
        return httpx.get(f"{self.url}/headway/faults", trust_env=False).json()


@contextmanager
def local_aws(home: Path, *, minute_seconds: float | None = None) -> Iterator[Server]:
    """Yield a local AWS that ends with the test, and has minutes as long as they are everywhere here, or as said."""
    server = Server(home).start(minute_seconds)
    try:
        yield server
    finally:
        server.stop()
