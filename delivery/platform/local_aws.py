"""The local AWS of one machine, as a background process: a stand-in to try on whatever speaks to AWS.

It is a program of its own: the product speaks to it as to AWS, by AWS_ENDPOINT_URL, and imports nothing of it.
"""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.ports import free_port
from delivery.waiting import until

MODULE = "local_aws"
PORT = 5566
REGION = "us-east-1"
START_SECONDS = 120  # what was asked of it is done again first
NEEDED = ("moto", "time_machine")


class LocalAws:
    """The local AWS for the platform in `home`; its records and data are in a folder of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.daemon = Daemon("aws", home.root / "daemons", home.logs / "aws.log")

    @property
    def is_up(self) -> bool:
        """Whether it was started and not stopped since, whether it answers or not."""
        return self._wanted.exists()

    @property
    def url(self) -> str:
        """Where every service is asked; the port is kept from the first start on."""
        path = self.home.root / "daemons" / "aws.port"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(free_port(PORT)))
        return f"http://127.0.0.1:{path.read_text()}"

    def environment(self) -> Mapping[str, str]:
        """Return the variables that lead to it, as long as it is up; whoever has named another AWS keeps that."""
        if not self.is_up or os.environ.get("AWS_ENDPOINT_URL", self.url) != self.url:
            return {}
        return variables(self.url)

    def start(self) -> None:
        """Bring it up and return when it answers; Misconfigured when it is not installed, Rejected when it ends."""
        if missing := [name for name in (MODULE, *NEEDED) if importlib.util.find_spec(name) is None]:
            raise Misconfigured(
                "headway up --aws",
                f"the local AWS is not installed: there is no {', '.join(missing)}",
                next_step="pip install 'headway[local-aws]'; in a checkout of Headway: make setup",
            )
        self.launch()
        if not until(self.answers, seconds=START_SECONDS, every=0.1, unless=lambda: self.daemon.process() is None):
            raise Rejected(f"the local AWS did not start; the end of {self.daemon.log}:\n{self.daemon.last_lines()}")
        self._wanted.touch()

    def launch(self) -> None:
        """Start it unless it runs, and return at once."""
        argv = [sys.executable, "-m", MODULE, "--home", str(self.home.root), "--port", self.url.rpartition(":")[2]]
        self.daemon.start(argv, {})

    def stop(self) -> bool:
        """Stop it; return whether it ran. Its records and data stay."""
        self._wanted.unlink(missing_ok=True)
        return self.daemon.stop()

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return httpx.get(f"{self.url}/headway/status", timeout=3, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def _wanted(self) -> Path:
        return self.home.root / "daemons" / "aws.wanted"


def variables(url: str) -> dict[str, str]:
    """Return what boto3, the AWS CLI and Terraform need to speak to a local AWS, and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
