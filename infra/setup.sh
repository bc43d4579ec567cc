#!/bin/sh
# Make .venv what the lock file says: `infra/setup.sh run` for use, `infra/setup.sh dev` with what the tests need.
# Ends 2, having changed nothing, when something is missing that only the user can add.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-run}
case $kind in
run) lock=requirements.lock ;;
dev) lock=requirements-dev.lock ;;
*) echo "usage: infra/setup.sh run|dev" >&2; exit 2 ;;
esac

missing() {
    printf 'error: %s\n  next: %s\n' "$1" "$2" >&2
    exit 2
}

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
            command -v "$name"
            return
        fi
    done
}

want=$(cat "$lock" pyproject.toml requirements-uv.lock | cksum | tr ' ' -)
have=$(cat .venv/.headway 2>/dev/null || true)
[ "$have" = "$kind $want" ] && exit 0
if [ "$kind" = run ] && [ -n "$have" ]; then # what the tests need is more than enough
    dev=$(cat requirements-dev.lock pyproject.toml requirements-uv.lock | cksum | tr ' ' -)
    [ "$have" = "dev $dev" ] && exit 0
fi

command -v git >/dev/null 2>&1 || missing "git is not installed" "sudo apt-get install git"
python=$(find_python)
[ -n "$python" ] || missing "no Python from 3.11 to 3.13 was found" "sudo apt-get install python3 python3-venv"
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        missing "this Python has no venv module" "sudo apt-get install python$version-venv"
    fi
    echo "  installing python$version-venv"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "python$version-venv"; } \
        >/dev/null || missing "python$version-venv could not be installed" "sudo apt-get install python$version-venv"
fi

echo "  setting up .venv from $lock"
[ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; "$python" -m venv .venv; }
rm -f .venv/.headway
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
if .venv/bin/python -m pip install -q --require-hashes -r requirements-uv.lock 2>/dev/null; then
    # Compiled now: where PYTHONDONTWRITEBYTECODE is set, every process would compile all it imports again, half its start.
    .venv/bin/uv pip sync -q --compile-bytecode --python .venv/bin/python --require-hashes "$lock" requirements-uv.lock
    .venv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
else # no uv for this machine: slower, the same result
    .venv/bin/python -m pip install -q --require-hashes -r "$lock"
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation -e .
fi
echo "$kind $want" >.venv/.headway
