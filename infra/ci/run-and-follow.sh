#!/usr/bin/env bash
# Start a run of HEADWAY_DEPLOYMENT on the platform that PREFECT_API_URL names, show its steps, and end as it ends:
# 0 live or live already, 1 rejected, 2 misconfigured, 3 withdrawn, 130 interrupted. An interrupt stops the run.
# Where HEADWAY_JUNIT is set, the JUnit files of its test cells are in that folder then.
# Its parameters are HEADWAY_PROJECT, HEADWAY_REVISION, HEADWAY_ENVIRONMENT, HEADWAY_APP, HEADWAY_BASE and HEADWAY_FORK
# (true or false), those that are not empty.
set -euo pipefail
programs=${HEADWAY_PROGRAMS:-$(dirname "$(readlink -f "$(command -v headway)")")}
output=${GITHUB_OUTPUT:-/dev/null}
summary=${GITHUB_STEP_SUMMARY:-/dev/null}

# Nothing of this machine's own platform, if it has one.
HEADWAY_HOME=$(mktemp -d)
export HEADWAY_HOME PREFECT_HOME=$HEADWAY_HOME/prefect PREFECT_SERVER_ALLOW_EPHEMERAL_MODE=false PREFECT_CLI_COLORS=false
trap 'rm -rf "$HEADWAY_HOME"' EXIT
export TTY_COMPATIBLE=0 # some runners have a terminal, which nobody sees; a log takes no moving lines
[ -n "${PREFECT_API_AUTH_STRING:-}" ] || unset PREFECT_API_AUTH_STRING

parameters=$("$programs/python" -c '
import json, os
names = ("project", "revision", "environment", "app", "base")
given = {name: os.environ.get(f"HEADWAY_{name.upper()}") for name in names}
fork = {"true": True, "false": False}.get(os.environ.get("HEADWAY_FORK"))
print(json.dumps({name: value for name, value in {**given, "fork": fork}.items() if value not in (None, "")}))')

interrupted=
follower=
trap 'interrupted=1; [ -z "$follower" ] || kill -TERM "$follower" 2>/dev/null || true' INT TERM

if ! printed=$("$programs/prefect" deployment run "$HEADWAY_DEPLOYMENT" --params "$parameters" 2>&1); then
    printf '%s\n' "$printed" >&2
    printf 'error: %s was not started: it is not registered, refuses these parameters, or the API does not answer\n' \
        "$HEADWAY_DEPLOYMENT" >&2
    echo "exit-code=2" >>"$output"
    exit 2
fi
run=$(grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<<"$printed" | head -n 1)
echo "run=$run" >>"$output"
echo "$HEADWAY_DEPLOYMENT $parameters: run $run"

# In the background, so that an interrupt of this script reaches it.
"$programs/headway" follow "$run" --stop &
follower=$!
[ -z "$interrupted" ] || kill -TERM "$follower" # the signal came before there was anybody to tell
code=0
wait "$follower" || code=$?
while kill -0 "$follower" 2>/dev/null; do # a signal ends the first wait, and the run is being stopped
    code=0
    wait "$follower" || code=$?
done
if [ "$code" -eq 143 ]; then # SIGTERM ended it before it could stop the run
    "$programs/prefect" flow-run cancel "$run" || true
    code=130
fi
if [ -n "${HEADWAY_JUNIT:-}" ]; then
    "$programs/headway" junit "$run" --to "$HEADWAY_JUNIT" || echo "the JUnit files are not here" >&2
fi
echo "exit-code=$code" >>"$output"
echo "$HEADWAY_DEPLOYMENT, run \`$run\`: exit code $code" >>"$summary"
exit "$code"
