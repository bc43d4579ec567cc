"""What runs are asked for by hand, in the Prefect UI's form or by `prefect deployment run`: explained and checked."""

from typing import Annotated, Any

from pydantic import Field
from pydantic.config import JsonDict

from delivery.model import NAME_PATTERN

RUN_PATTERN = r"^[0-9a-zA-Z-]{1,64}$"
REVISION_PATTERN = r"^[^\s\-]\S*$"  # one word, and no option of git


def _asked(description: str, **rules: Any) -> Any:
    """Return the field; Prefect has a description of its own, empty where no docstring has one, so it goes beside."""
    extra: JsonDict = {"description": description}
    return Field(json_schema_extra=extra, **rules)


AppName = Annotated[str, _asked("The application, as headway.yaml calls it.", pattern=NAME_PATTERN)]
EnvironmentName = Annotated[str, _asked("The environment of headway.yaml it is about.", pattern=NAME_PATTERN)]
Project = Annotated[
    str | None,
    _asked(
        "Folder with headway.yaml on the worker's machine, or the repository's address, as "
        "https://HOST/OWNER/NAME.git#FOLDER. Left out: what was delivered last.",
        min_length=1,
    ),
]
Sources = Annotated[str, _asked("The repository's address, with #FOLDER where it is not its root.", min_length=1)]
Commit = Annotated[str, _asked("Commit, branch or tag.", pattern=REVISION_PATTERN)]
RunId = Annotated[
    str | None, _asked("The one run from which the environment is taken, by its whole id.", pattern=RUN_PATTERN)
]
Fingerprint = Annotated[
    str | None,
    _asked("Release to go back to, as headway status shows it. Left out: the one before the live one.", min_length=1),
]
AwayFrom = Annotated[
    str | None,
    _asked("Release that it is about, by its fingerprint: unless that is live, nothing is done.", min_length=1),
]
Override = Annotated[bool, _asked("Also to a release that failed, or whose code does not run on the schema.")]
Down = Annotated[bool, _asked("Take back the migrations in between, where that was rehearsed.")]
Backup = Annotated[
    str | None, _asked("Backup that is put behind the application; latest: the newest of before.", min_length=1)
]
AlthoughFrozen = Annotated[bool, _asked("Also where the environment is frozen.")]
PullRequest = Annotated[int | None, _asked("Number of the pull request; left out: the commit is on a branch.", ge=1)]
Fork = Annotated[bool, _asked("Whether the commit is a stranger's: it gets no secret, and no image of the platform.")]
Base = Annotated[
    str | None,
    _asked("Commit it is for, whose headway.yaml says who is told. Left out: nobody.", pattern=REVISION_PATTERN),
]
