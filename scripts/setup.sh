#!/bin/bash
# Installs what Flotilla needs on Debian or Ubuntu, builds it, and puts `flotilla` on the PATH. Run again at will: what is there stays.
set -euo pipefail
cd "$(dirname "$0")/.."

needed=(crun=crun conmon=conmon nft=nftables ip=iproute2 curl=curl 'tini|tini-static|catatonit=tini' /etc/ssl/certs/ca-certificates.crt=ca-certificates)
# crun before 1.9 refuses a hybrid cgroup layout; runc takes it.
[ -d /sys/fs/cgroup/unified ] && needed+=(runc=runc)
scripts/need.sh "${needed[@]}"

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
