#!/bin/sh
# build.sh KIND CONTEXT CACHE fetch: choose the packages of KIND and download them into CACHE.
# build.sh KIND CONTEXT CACHE make: lay out the Docker build context CONTEXT/image.
# A kind is a folder with `packages` (a name a line; more words: only these files of it; -name or -@file: not these,
# though others depend on them), `Dockerfile`, and if need be `requirements.txt` with `wheel-files`, and `rootfs`.
# MAKING says how (see `base.yaml`): `files` unpacks packages and runs no maintainer script; `debian` unpacks a whole
# Debian, which its Dockerfile configures, with the apt sources in CONTEXT/sources; `start` leaves the packages in
# CONTEXT/debs.tar, to be installed into the image whose package status is CONTEXT/status; `bare` has no packages.
# Expects APT_CONFIG (an apt state with no installed packages) and PYTHON.
set -eu
umask 022
bases=$(cd "$(dirname "$0")" && pwd)
kind=$bases/$1 context=$2 cache=$3
root=$context/rootfs
info=$root/var/lib/dpkg/info
debs=$cache/debs wheels=$cache/wheels

recipe() {
  common=
  [ "$MAKING" != files ] || common=$bases/common/packages
  [ "$MAKING" = bare ] || sed 's/#.*//; /^[[:space:]]*$/d' $common "$kind/packages"
}

list_packages() {
  recipe | awk '/^[^-]/ {print $1}' | sort -u >"$context/wanted"
  recipe | sed -n 's/^-//p' | while read -r name; do
    case $name in @*) cat "$bases/common/${name#@}" ;; *) echo "$name" ;; esac
  done | grep -vxFf "$context/wanted" | sort -u >"$context/unwanted"
  status=/dev/null
  [ "$MAKING" != start ] || status=$context/status
  : >"$context/plan"
  if [ -s "$context/wanted" ]; then
    xargs apt-get install -s -q -o Debug::NoLocking=1 -o Dir::State::status="$status" <"$context/wanted" >"$context/plan"
  fi
  # Inst NAME [INSTALLED] (VERSION ARCHIVE…): the version installed before is there for a package that is upgraded.
  sed -n 's/^Inst \([^ ]*\) .*(\([^ ]*\) .*/\1=\2/p' "$context/plan" | sort -u >"$context/closure"
  awk -F= 'FILENAME == ARGV[1] {drop[$1]; next} !($1 in drop)' "$context/unwanted" "$context/closure" >"$context/chosen"
}

download() {
  mkdir -p "$debs" "$wheels"
  if [ -s "$context/chosen" ]; then
    (cd "$debs" && xargs apt-get download -q <"$context/chosen") >"$context/download.log" 2>&1 ||
      { tail -n 5 "$context/download.log" >&2; exit 1; }
  fi
  if [ -f "$kind/requirements.txt" ]; then
    platform=
    [ ! -f "$kind/wheel-platform" ] || platform="--platform $(cat "$kind/wheel-platform")_$(uname -m)"
    "$PYTHON" -m pip download -q --disable-pip-version-check --no-deps --require-hashes --only-binary :all: $platform \
      -r "$kind/requirements.txt" -d "$wheels" --log "$context/pip.log" >/dev/null 2>"$context/pip.err" ||
      { tail -n 5 "$context/pip.err" >&2; exit 1; }
  fi
}

deb_of() { # NAME VERSION
  echo "$debs/${1}_$(echo "$2" | sed 's/:/%3a/')"_*.deb
}

unpack_deb() { # FILE ONLY-PATH…
  deb=$1
  shift
  name=$(dpkg-deb -f "$deb" Package)
  owner=$name
  [ "$(dpkg-deb -f "$deb" Multi-Arch)" != same ] || owner=$name:$(dpkg-deb -f "$deb" Architecture)
  dpkg-deb --fsys-tarfile "$deb" >"$context/files.tar"
  tar -xvpf "$context/files.tar" -C "$root" --keep-directory-symlink --no-same-owner \
    --exclude='./usr/share/man/?*' --exclude='./usr/share/locale/?*' --exclude='./usr/share/info/?*' \
    --exclude='./usr/share/lintian*' --exclude='./usr/share/bug*' --exclude='./usr/share/doc/*/[!c]*' \
    "$@" >"$context/members"
  sed 's#^\./#/#; s#^/$#/.#; s#/$##' "$context/members" >"$info/$owner.list"
  dpkg-deb -e "$deb" "$context/control"
  for file in "$context/control"/*; do
    [ "${file##*/}" = control ] || mv "$file" "$info/$owner.${file##*/}"
  done
  sed "/^Package:/a Status: install ok $state" "$context/control/control" >>"$root/var/lib/dpkg/status"
  echo >>"$root/var/lib/dpkg/status"
  rm -rf "$context/control"
}

unpack() {
  mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" "$root/etc" "$root/run/lock" "$root/tmp" "$info"
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  echo 1 >"$info/format" # file names with an architecture
  ln -s /run "$root/var/run"
  ln -s /run/lock "$root/var/lock"
  while IFS='=' read -r name version; do
    set -- $(deb_of "$name" "$version")
    # Without globbing and quotes: the recipe's second column may name several paths, or none.
    unpack_deb "$1" $(recipe | awk -v name="$name" '$1 == name && NF > 1 {for (i = 2; i <= NF; i++) print $i}')
  done <"$context/chosen"
}

unpack_wheels() { # the file `wheel-files` says what goes where
  mkdir "$context/wheels"
  sed -n 's/^\([A-Za-z0-9._-]*\)==\([^ ]*\).*/\1-\2/p' "$kind/requirements.txt" | tr - _ | while read -r stem; do
    for wheel in "$wheels"/*.whl; do
      case $(basename "$wheel" | tr - _) in
        "$stem"_*"$(cat "$kind/wheel-platform" 2>/dev/null)"*)
          cp "$wheel" "$context/wheels/"
          "$PYTHON" -m zipfile -e "$wheel" "$context/wheels/"
          ;;
      esac
    done
  done
  chmod -R u=rwX,go=rX "$context/wheels"
  while read -r source target; do
    mkdir -p "$root/$(dirname "$target")"
    mv "$context/wheels/$source" "$root/$target"
    case $source:$target in *.data/scripts/* | *:*/bin/*) chmod 755 "$root/$target" ;; esac
  done <"$kind/wheel-files"
  rm -rf "$context/wheels"
}

add_what_scripts_make() { # maintainer scripts would have made it
  cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$context/ca"
  mkdir -p "$root/usr/local/bin" "$root/usr/local/sbin" "$root/etc/ssl/certs" "$root/root" "$root/home" "$root/proc" "$root/sys" "$root/dev" "$root/var/tmp" "$root/var/log"
  mv "$context/ca" "$root/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$root/usr/lib/ssl" # where OpenSSL looks
  ln -sf /etc/ssl/certs "$root/usr/lib/ssl/certs"
  ln -sf /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
  for folder in "$bases/common/rootfs" "$kind/rootfs"; do
    [ ! -d "$folder" ] || cp -R "$folder/." "$root/"
  done
  for applet in $("$root/usr/bin/busybox" --list); do
    [ -e "$root/usr/bin/$applet" ] || [ -e "$root/usr/sbin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
  done
  chmod 1777 "$root/tmp" "$root/var/tmp"
  chmod 640 "$root/etc/shadow"
}

finish() {
  mkdir -p "$root" "$context/image"
  [ ! -f "$kind/requirements.txt" ] || unpack_wheels
  if [ -f "$context/sources" ]; then
    mkdir -p "$root/etc/apt/sources.list.d"
    cp "$context/sources" "$root/etc/apt/sources.list.d/debian.sources"
  fi
  [ ! -d "$kind/rootfs" ] || cp -R "$kind/rootfs/." "$root/"
  tar -C "$root" --numeric-owner --owner=0 --group=0 --sort=name --mtime=@0 -cf "$context/image/rootfs.tar" .
  cp "$kind/Dockerfile" "$context/image/Dockerfile"
  rm -rf "$root"
}

gather_debs() {
  while IFS='=' read -r name version; do
    basename $(deb_of "$name" "$version")
  done <"$context/chosen" | tar -C "$debs" --transform 's#^#debs/#' --owner=0 --group=0 -cf "$context/debs.tar" -T -
}

case $4 in
  fetch)
    list_packages
    download
    ;;
  make)
    state=installed
    case $MAKING in
      files)
        unpack
        add_what_scripts_make
        ;;
      debian)
        state=unpacked
        unpack
        ;;
      start) gather_debs ;;
    esac
    finish
    ;;
esac
