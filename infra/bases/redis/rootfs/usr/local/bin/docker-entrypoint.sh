#!/bin/sh
# The contract of the upstream image: a flag or a .conf file is meant for redis-server, which root never runs, and
# which answers other containers although no password is set.
set -eu
case ${1:-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac
[ "${1:-}" = redis-server ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
  chown -R redis:redis .
  exec start-stop-daemon -S -q -c redis:redis -x "$0" -- "$@"
fi
umask 0077
case " $* " in
  *" --protected-mode "*) ;;
  *) grep -qs '^[[:space:]]*protected-mode' "${2:-}" || set -- "$@" --protected-mode no ;;
esac
exec "$@"
