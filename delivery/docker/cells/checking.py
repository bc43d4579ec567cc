"""Run a check's command beside a running environment."""

from pathlib import Path

from delivery.docker.engine.logs import save_log
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.outcome import last_lines, wait_for_end
from delivery.docker.sandbox.bed import open_bed
from delivery.home import Home
from delivery.spec.checks import CommandCheck
from delivery.spec.stand_ins import StandIns

SHOWN_LINES = 15


def run_command(
    check: CommandCheck,
    names: EnvironmentNames,
    *,
    image: str,
    base_url: str,
    home: Home,
    run_id: str,
    log: Path,
    host: str | None = None,
    stand_ins: StandIns = "when-missing",
) -> str:
    """Run the command on the environment's network and return why it did not pass, or nothing; nothing of it is left.

    Raises Rejected when the engine cannot start it.
    """
    with open_bed(home, run_id, "check", host=host, stand_ins=stand_ins) as bed:
        bed.network = names.backbone
        env = {"BASE_URL": base_url, "HEADWAY_ENVIRONMENT": names.environment}
        container = bed.start("check", image, check.command, env=env)
        exit_code = wait_for_end(container, check.timeout_seconds)
        save_log(container, log)
    if exit_code == 0:
        return ""
    how = f"did not end within {check.timeout_seconds} s" if exit_code is None else f"ended with exit code {exit_code}"
    lines = last_lines(log, SHOWN_LINES)
    return f"{how}; its last lines:\n{lines}" if lines else f"{how} and printed nothing"
