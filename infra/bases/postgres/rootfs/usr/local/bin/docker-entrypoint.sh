#!/bin/sh
# The contract of the upstream image: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS,
# POSTGRES_HOST_AUTH_METHOD and PGDATA; a command that starts with a dash is meant for postgres.
set -eu
[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres:postgres "$PGDATA" /run/postgresql
  chmod 700 "$PGDATA"
  exec start-stop-daemon -S -q -c postgres:postgres -x "$0" -- "$@"
fi

quoted() { printf %s "$1" | sed "s/$2/$2$2/g"; }

first_start() {
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); fi
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
    echo 'Error: the database is not initialised and there is no superuser password: set POSTGRES_PASSWORD.' >&2
    exit 1
  fi
  # A cluster in memory is a copy of a prepared one; a cluster that is kept gets a system identifier of its own.
  if [ "$(stat -f -c %T "$PGDATA")" = tmpfs ] && [ -z "${POSTGRES_INITDB_ARGS:-}" ]; then
    cp -R /usr/share/postgresql/15/cluster/. "$PGDATA/"
  else
    eval "initdb --no-sync --data-checksums --username=postgres --auth=trust --pgdata='$PGDATA' ${POSTGRES_INITDB_ARGS:-}" >/dev/null
  fi
  chmod 700 "$PGDATA"
  {
    printf "UPDATE pg_authid SET rolname = '%s' WHERE oid = 10\n" "$(quoted "$user" "'")"
    [ -z "${POSTGRES_PASSWORD:-}" ] ||
      printf "ALTER ROLE \"%s\" PASSWORD '%s'\n" "$(quoted "$user" '"')" "$(quoted "$POSTGRES_PASSWORD" "'")"
    [ "$database" = postgres ] || printf 'CREATE DATABASE "%s"\n' "$(quoted "$database" '"')"
  } | postgres --single -F -D "$PGDATA" -c log_min_messages=fatal -c log_min_error_statement=panic postgres >/dev/null
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
  printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
  [ -z "$(ls /docker-entrypoint-initdb.d)" ] || run_first_scripts
  unset POSTGRES_PASSWORD
}

run_first_scripts() { # on a server that nobody else reaches
  pg_ctl start --silent --wait -o "-c listen_addresses='' -c unix_socket_directories=/run/postgresql" >&2
  export PGUSER="$user" PGPASSWORD="${POSTGRES_PASSWORD:-}"
  for file in /docker-entrypoint-initdb.d/*; do
    echo "running $file" >&2
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -q "$database" -f "$file" ;;
      *.sql.gz) gzip -dc "$file" | psql -v ON_ERROR_STOP=1 --no-psqlrc -q "$database" ;;
      *) echo "left out: $file" >&2 ;;
    esac
  done
  unset PGUSER PGPASSWORD
  pg_ctl stop --silent --wait --mode=fast >&2
}

[ -s "$PGDATA/PG_VERSION" ] || first_start
exec "$@"
