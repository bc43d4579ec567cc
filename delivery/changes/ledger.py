"""Labels that go on every external thing before it exists, so that a sweep can find what has no living owner."""

from datetime import UTC, datetime, timedelta

LABEL_PLATFORM = "headway.platform"
LABEL_RUN = "headway.run"
LABEL_ROLE = "headway.role"
LABEL_EXPIRES = "headway.expires"
LABEL_APP = "headway.app"
LABEL_ENVIRONMENT = "headway.environment"
LABEL_SLOT = "headway.slot"
LABEL_SERVICE = "headway.service"
LABEL_SERVICE_FILE = "headway.service-file"
LABEL_RELEASE = "headway.release"
LABEL_HIDDEN = "headway.hidden"
LABEL_KEY = "headway.key"
LABEL_SEQUENCE = "headway.sequence"
LABEL_SANDBOX = "headway.bed"  # the word of old, by which what an older version left is found
LABEL_IMAGE = "headway.image"


def run_labels(platform: str, run: str, role: str, *, lives: timedelta = timedelta(hours=2)) -> dict[str, str]:
    """Return labels of a thing that lives as long as its run, and never longer than `lives`."""
    expires = datetime.now(UTC) + lives
    return {
        LABEL_PLATFORM: platform,
        LABEL_RUN: run,
        LABEL_ROLE: role,
        LABEL_EXPIRES: expires.isoformat(timespec="seconds"),
    }


def environment_labels(platform: str, app: str, environment: str, role: str) -> dict[str, str]:
    """Return labels of a thing that belongs to an environment and stays until it is retired."""
    return {LABEL_PLATFORM: platform, LABEL_APP: app, LABEL_ENVIRONMENT: environment, LABEL_ROLE: role}
