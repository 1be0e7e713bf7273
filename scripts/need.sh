#!/bin/bash
# need.sh [PROGRAM[|PROGRAM…]=PACKAGE | /FILE=PACKAGE]…: installs those Debian packages of which no program and no such file is there. Needs root when there are any.
set -euo pipefail
packages=()
is_there() {  # any of the names, a|b|c
  local one
  local IFS='|'
  for one in $1; do
    if [[ $one == /* ]]; then [ ! -e "$one" ] || return 0; elif command -v "$one" >/dev/null 2>&1; then return 0; fi
  done
  return 1
}
for pair in "$@"; do is_there "${pair%=*}" || packages+=("${pair##*=}"); done
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "missing: ${packages[*]}; run: sudo apt-get install -y ${packages[*]}" >&2
  exit 1
fi
echo "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
# Debian's registry comes with a service on every address, which nobody asked for: ours listens on loopback, and only while it is wanted.
if [[ " ${packages[*]} " == *" docker-registry "* ]] && [ -d /run/systemd/system ]; then systemctl disable --quiet --now docker-registry.service || true; fi
