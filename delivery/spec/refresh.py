"""What stands in headway.yaml about data of another environment: whose it is, and by which file it is masked."""

from pydantic import ConfigDict, Field

from delivery.model import Model, Name


class Refresh(Model):
    """Whose data an environment's database is refreshed with, and what of it is replaced before."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)  # `from` is a word of Python

    source: Name = Field(alias="from", description="the environment whose newest proven backup is taken")
    masking: str = Field(description="file that says what becomes of each column that is personal")
