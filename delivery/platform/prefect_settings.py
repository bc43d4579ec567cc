"""Which of Prefect's settings the user has chosen: they are kept, and Headway fills in the others."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

SET_BY_HEADWAY = "HEADWAY_SETS"  # names of the variables that Headway itself put into an environment
EXTRA_LOGGERS = "PREFECT_LOGGING_EXTRA_LOGGERS"
# Prefect takes the first of a setting's names that it finds.
EARLIER_NAMES = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "PREFECT_RUNNER_HEARTBEAT_FREQUENCY",
    "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK": "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK",
    "PREFECT_RESULTS_LOCAL_STORAGE_PATH": "PREFECT_LOCAL_STORAGE_PATH",
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "PREFECT_SERVER_CORS_ALLOWED_ORIGINS",
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "PREFECT_SERVER_CSRF_PROTECTION_ENABLED",
}


def chosen_settings(environ: Mapping[str, str], prefect_home: Path) -> dict[str, str]:
    """Return the settings that the user has chosen, by the names of their variables, in Prefect's own order.

    Those of the environment come first, then those of the active profile. What Headway has put there, for this
    process or for the one that started it, is not among them, and neither is what Prefect tells a run about itself.
    `prefect_home` is where the profiles are when the user names no other place.
    """
    ours = environ.get(SET_BY_HEADWAY, "").split()
    given = {
        name: value
        for name, value in environ.items()
        if name.startswith("PREFECT_") and not name.startswith("PREFECT__") and value and name not in ours
    }
    return _of_profile(given, profiles_path(given, prefect_home)) | given


def profiles_path(given: Mapping[str, str], prefect_home: Path) -> Path:
    """Return the file with the profiles: the user's own one as soon as the user names a home, a file or a profile."""
    if "PREFECT_PROFILES_PATH" in given:
        return Path(given["PREFECT_PROFILES_PATH"]).expanduser()
    if "PREFECT_HOME" in given:
        return Path(given["PREFECT_HOME"]).expanduser() / "profiles.toml"
    return (Path.home() / ".prefect" if "PREFECT_PROFILE" in given else prefect_home) / "profiles.toml"


def filled_in(ours: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `ours`, each with what the user has chosen instead, and which of them are Headway's.

    A list is added to: who wants the lines of other loggers as well still reads Headway's.
    """
    values = {name: _choice(name, chosen) for name in ours}
    filled = {name: values[name] or value for name, value in ours.items()}
    if loggers := values.get(EXTRA_LOGGERS):
        filled[EXTRA_LOGGERS] = ",".join(dict.fromkeys([*loggers.split(","), *ours[EXTRA_LOGGERS].split(",")]))
    return filled | {SET_BY_HEADWAY: " ".join(name for name in ours if not values[name])}


def is_chosen(name: str, chosen: Mapping[str, str]) -> bool:
    """Whether the user has chosen this setting, by whichever of its names."""
    return bool(_choice(name, chosen))


def _choice(name: str, chosen: Mapping[str, str]) -> str | None:
    return chosen.get(name) or chosen.get(EARLIER_NAMES.get(name, ""))


def _of_profile(given: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return what the active profile sets; a file that cannot be read sets nothing, and Prefect says so itself."""
    try:
        read = tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    name = given.get("PREFECT_PROFILE") or read.get("active")
    profile = read.get("profiles", {}).get(name) or {}
    return {key: str(value) for key, value in profile.items() if key.startswith("PREFECT_") and str(value)}
