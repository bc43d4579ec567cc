"""What stands in headway.yaml about GitHub: which repository the commits are of, and what is told there."""

from pydantic import Field

from delivery.model import Model

# Without TLS the token could be read on the way: to this machine alone.
_API = r"^(https://[^\s/@]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/\S*)?)$"


PHASES = frozenset({"build", "scan", "tests", "publish", "proof"})  # parts of a run with a status of their own


class GitHub(Model):
    """How people on GitHub see what becomes of a commit."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$", description="OWNER/NAME of the repository"
    )
    token: str = Field(min_length=1, description="name of the Prefect secret block that holds the token")
    api_url: str | None = Field(
        None, pattern=_API, description="of GitHub Enterprise: https://HOST/api/v3; left out: github.com"
    )
    statuses: bool = Field(True, description="a commit status for each phase and each environment")
    deployments: bool = Field(True, description="a deployment for each environment that a release goes to")
    comment: bool = Field(True, description="one comment on the commit's pull request, kept current")
