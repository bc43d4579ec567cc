"""What is run within the archive of a database: PostgreSQL's programs, and shell that BusyBox and GNU understand."""

FOLDER, SLOT = "/archive", "headway_archive"
HERE = f"{FOLDER}/$(cat {FOLDER}/system)"  # what is archived of the server that there is
# A server that was made anew, after all of one was lost, is another system, whose WAL has nothing to do with that of
# the one before: each has a folder of its own, so that what was lost can still be gone back to.
SYSTEM = "select system_identifier from pg_control_system()"
RECEIVE = f"""
set -e
psql -XqAtw -h 127.0.0.1 -U "$0" -d template1 -c "{SYSTEM}" >{FOLDER}/.system
mv {FOLDER}/.system {FOLDER}/system
here={HERE}
mkdir -p "$here/wal" "$here/base"
receive() {{ pg_receivewal -h 127.0.0.1 -U "$0" -w --slot={SLOT} -D "$here/wal" "$@"; }}
receive --create-slot --if-not-exists
receive --synchronous --no-loop
"""
BASE = f"""
set -e
here={HERE}
rm -rf "$here"/base/.new-*
new=$here/base/.new-$1
pg_basebackup -h 127.0.0.1 -U "$0" -w -D "$new" -Xs -c fast --no-sync
pg_verifybackup -q "$new"
sync
mv "$new" "$here/base/$(psql -XqAtw -h 127.0.0.1 -U "$0" -d template1 -c \
  "select to_char(clock_timestamp() at time zone 'utc', 'YYYYMMDD\\"T\\"HH24MISS.US')")"
"""
# Base backups that are too old go, but for the last one before the first moment that can be reached; then the WAL
# that none of those left begins with. Of a system of before all goes when its last WAL is too old; what cannot be
# looked at stays. Options are those that BusyBox has as well: its find knows no -newermt.
PRUNE = f"""
set -e
here={HERE}
touch -d "@$2" {FOLDER}/.limit
for other in {FOLDER}/*/; do
  [ "${{other%/}}" != "$here" ] || continue
  young=$(find "$other/wal" -type f -newer {FOLDER}/.limit) || continue
  [ -n "$young" ] || rm -rf "$other"
done
cd "$here/base"
old() {{ ls | sort | awk -v limit="$1" '{{ if (kept && $0 < limit) print kept; kept = $0 }}'; }}
for name in $(old "$1"); do rm -rf "$name"; done
first=$(ls | sort | head -1)
[ -n "$first" ] || exit 0
segment=$(sed -n 's/^START WAL LOCATION: .*(file \\(.*\\))$/\\1/p' "$first/backup_label")
[ -z "$segment" ] || pg_archivecleanup "$here/wal" "$segment"
"""
BASE_NAME = "%Y%m%dT%H%M%S.%f"
CUT = ".until-"
# What was archived up to a gap is kept beside what begins anew: the moments in it can still be gone back to. The name
# tells that more was written after it.
CUT_OFF = f"""
set -e
[ -e {FOLDER}/system ] || exit 0
here={HERE}
[ ! -d "$here" ] || mv "$here" "$here{CUT}$0"
"""
