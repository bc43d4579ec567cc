"""Which versions of PostgreSQL RDS has, as far as this local AWS knows."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import InvalidParameterCombination
from moto.rds.responses import RDSResponse

from local_aws.services.rds_records import POSTGRES

# https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
MINORS = {"13": range(11, 23), "14": range(8, 20), "15": range(3, 15), "16": range(1, 11), "17": range(1, 7)}
DEFAULT_MAJOR = "15"


def full_version(asked: str | None) -> str:
    """Return the version that is meant: a major one alone means its newest, none the default.

    Raises InvalidParameterCombination for one that there is not.
    """
    major, _, minor = (asked or DEFAULT_MAJOR).partition(".")
    minors = MINORS.get(major, range(0))
    if not minor and minors:
        return f"{major}.{minors[-1]}"
    if not minor.isdigit() or int(minor) not in minors:
        raise InvalidParameterCombination(f"Cannot find version {asked} for {POSTGRES}")
    return f"{major}.{minor}"


def major_of(version: str) -> str:
    """Return the major version."""
    return version.partition(".")[0]


def describe_db_engine_versions(self: RDSResponse) -> ActionResult:
    """Return the versions of PostgreSQL; no other engine is known.

    "Describes the properties of specific versions of DB engines."
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html
    """
    engine, asked = self.params.get("Engine", POSTGRES), self.params.get("EngineVersion")
    family, only_default = self.params.get("DBParameterGroupFamily"), self.params.get("DefaultOnly")
    listed = [f"{major}.{minor}" for major, minors in MINORS.items() for minor in minors]
    told = [
        _told(version)
        for version in listed
        if engine == POSTGRES
        and (not asked or asked in (version, major_of(version)))
        and (not family or family == f"{POSTGRES}{major_of(version)}")
        and (not only_default or version == full_version(asked))
    ]
    return ActionResult({"DBEngineVersions": told})


def _told(version: str) -> dict[str, Any]:
    major = major_of(version)
    later = [f"{major}.{minor}" for minor in MINORS[major] if minor > int(version.partition(".")[2])]
    return {
        "Engine": POSTGRES,
        "MajorEngineVersion": major,
        "EngineVersion": version,
        "DBParameterGroupFamily": f"{POSTGRES}{major}",
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionDescription": f"PostgreSQL {version}",
        "Status": "available",
        "ValidUpgradeTarget": [
            {"Engine": POSTGRES, "EngineVersion": one, "AutoUpgrade": False, "IsMajorVersionUpgrade": False}
            for one in later
        ],
    }


def add() -> None:
    """Put ours beside moto's."""
    RDSResponse.describe_db_engine_versions = describe_db_engine_versions  # type: ignore[attr-defined]
