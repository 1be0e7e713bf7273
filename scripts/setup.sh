#!/bin/bash
# Installs what Flotilla needs on Debian or Ubuntu, builds it, and puts `flotilla` on the PATH. Run again at will: what is there stays.
set -euo pipefail
cd "$(dirname "$0")/.."

needed=()
need() { command -v "$1" >/dev/null 2>&1 || needed+=("$2"); }
need crun crun
need conmon conmon
need nft nftables
need ip iproute2
need curl curl
command -v tini >/dev/null 2>&1 || command -v tini-static >/dev/null 2>&1 || command -v catatonit >/dev/null 2>&1 || needed+=(tini)
# crun before 1.9 refuses a hybrid cgroup layout; runc takes it.
[ -d /sys/fs/cgroup/unified ] && need runc runc
[ -e /etc/ssl/certs/ca-certificates.crt ] || needed+=(ca-certificates)

if [ ${#needed[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "missing: ${needed[*]}; run: sudo make setup" >&2
    exit 1
  fi
  echo "installing ${needed[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${needed[@]}" >/dev/null
fi

make --no-print-directory build
# The first run of a command compiles it and keeps that: so that no user waits for it.
for file in examples/*/compose.yaml; do bin/flotilla compose -f "$file" config >/dev/null 2>&1 || true; done

if [ "$(id -u)" = 0 ]; then
  ln -sfn "$PWD/bin/flotilla" /usr/local/bin/flotilla
  if [ -d /run/systemd/system ]; then
    sed "s|@HOME@|$PWD|" packaging/flotilla.service >/etc/systemd/system/flotilla.service
    systemctl daemon-reload
  fi
  bin/flotilla doctor
fi
