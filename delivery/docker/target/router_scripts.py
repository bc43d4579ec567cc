"""What runs inside the router's container: shell scripts, one call of the engine each."""

from delivery.programs import haproxy_values

FOLDER = "/usr/local/etc/haproxy"
FILE = f"{FOLDER}/haproxy.cfg"
START_SECONDS = 20
REFUSED = 10  # exit code of the script when a higher sequence was obeyed
LATE = 11  # and when it goes on with its old configuration
BETWEEN = "\x1e"  # ASCII's record separator

# $1 sequence, $2 what to do once it is allowed. The lock is held over both.
FENCED = f"""
cd {FOLDER} || exit 9
exec 9>fence.lock
flock 9
have=$(cat fence 2>/dev/null || echo 0)
if [ "$1" -lt "$have" ]; then echo "$have"; exit {REFUSED}; fi
echo "$1" >fence.new && mv fence.new fence
eval "$2"
"""
SEND = """
send() { if command -v nc >/dev/null 2>&1; then printf '%s\\n' "$1" | nc 127.0.0.1 PORT
else bash -c 'exec 3<>/dev/tcp/127.0.0.1/PORT; printf "%s\\n" "$0" >&3; cat <&3' "$1"; fi; }
""".replace("PORT", str(haproxy_values.RUNTIME_PORT))
# A command in a container takes the engine some 45 ms to start: so this one waits for the end of the reload itself.
RELOAD = f"""{SEND}
answers() {{ send 'show info' | grep '^Pid:'; }}
haproxy -c -q -f next.cfg >&2 || exit 1
before=$(answers)
mv next.cfg haproxy.cfg && kill -USR2 1 || exit 1
turns={START_SECONDS * 20}
until now=$(answers) && [ "$now" != "$before" ]; do
    turns=$((turns - 1))
    [ $turns -gt 0 ] || exit {LATE}
    sleep 0.05
done
"""
# $1 name of a file, $2 what stands in it
LAY = f"""printf %s "$2" >{FOLDER}/"$1" """
LOOK = f"""{SEND}
cat {FOLDER}/fence 2>/dev/null || echo 0
printf '{BETWEEN}'
cat {FILE}
printf '{BETWEEN}'
send 'show stat'
"""


# $@ the files that stay. The key is for the user alone that the router runs as.
OWN_CERTIFICATES = f"""
cd {FOLDER} || exit 9
own=$(sed -n 's/^Uid:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/1/status)
for file in "$@"; do chown "$own" "$file" && chmod 600 "$file" || exit 8; done
"""
FORGET_CERTIFICATES = f"""
cd {FOLDER} || exit 9
for file in *.pem; do case " $* " in *" $file "*) ;; *) rm -f "$file" ;; esac; done
"""
