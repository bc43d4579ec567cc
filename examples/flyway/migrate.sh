#!/bin/sh
# A step of any CI that migrates with Flyway's own image, in one command.
# ENV_FILE holds FLYWAY_URL, FLYWAY_USER and FLYWAY_PASSWORD, one NAME=value a line; what else it sets is Flyway's affair.
set -eu
env_file=${ENV_FILE:-flyway.env}
sql=${SQL:-$(dirname "$0")/sql}

mode=$(stat -c %a "$env_file")
case $mode in
  600 | 400) ;;
  *) echo "$env_file has mode $mode, and holds a password; allowed: 600. next: chmod 600 $env_file" >&2; exit 2 ;;
esac

exec docker run --rm --network "${NETWORK:-host}" --env-file "$env_file" \
  --volume "$(cd "$sql" && pwd):/flyway/sql:ro" "${FLYWAY_IMAGE:-flyway/flyway:9}" migrate
