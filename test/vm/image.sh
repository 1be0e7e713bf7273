#!/bin/bash
# Makes the disk of a Debian machine with a stock kernel, cgroup v2 and systemd: image.sh FILE. Done once; the packages are Debian's.
#   VM_SUITE (bookworm)   VM_MIRROR (http://deb.debian.org/debian)
# Beside the disk lie its kernel and initial file system, as FILE.vmlinuz and FILE.initrd.
set -euo pipefail
file=$1
suite=${VM_SUITE:-bookworm}
mirror=${VM_MIRROR:-http://deb.debian.org/debian}
packages=linux-image-cloud-amd64,systemd-sysv,udev,kmod,make,crun,conmon,nftables,iproute2,curl,tini,docker-registry,procps,busybox-static,gcc,libc6-dev,ca-certificates
recipe="$suite $packages $(sha256sum "$0" | cut -d' ' -f1)"
[ "$(cat "$file.recipe" 2>/dev/null)" = "$recipe" ] && exit 0

here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d "$(dirname "$file")/root-XXXXXX")
trap 'rm -rf "$root"' EXIT
echo "making a machine of Debian $suite (a few minutes, once)" >&2
mmdebstrap --quiet --variant=minbase --include="$packages" \
  --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  "$suite" "$root" "$mirror" >&2
cp "$root"/boot/vmlinuz-* "$file.vmlinuz"
cp "$root"/boot/initrd.img-* "$file.initrd"
rm -rf "$root"/boot/initrd.img-* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
# The package's own registry would take a port that the tests' one may want.
ln -sf /dev/null "$root/etc/systemd/system/docker-registry.service"
for unit in getty@tty1 serial-getty@ttyS0 apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online; do
  ln -sf /dev/null "$root/etc/systemd/system/${unit%.timer}$([[ $unit == *.timer ]] && echo .timer || echo .service)"
done
echo flotilla-vm >"$root/etc/hostname"
printf '127.0.0.1 localhost flotilla-vm\n::1 localhost\n' >"$root/etc/hosts"
printf '/dev/vda / ext4 defaults 0 1\n/dev/vdb /flotilla ext4 defaults 0 2\n' >"$root/etc/fstab"
mkdir -p "$root/flotilla"
install -m 755 "$here/plain-init.sh" "$root/usr/local/sbin/plain-init"
cat >"$root/etc/systemd/system/vm-test.service" <<'UNIT'
[Unit]
Description=What this machine was started for
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/flotilla/checkout/test/vm/guest.sh
StandardInput=null
StandardOutput=tty
StandardError=inherit
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
[Install]
WantedBy=default.target
UNIT
mkdir -p "$root/etc/systemd/system/graphical.target.wants" "$root/etc/systemd/system/multi-user.target.wants"
ln -sf /etc/systemd/system/vm-test.service "$root/etc/systemd/system/graphical.target.wants/vm-test.service"
rm -f "$file"
mke2fs -q -t ext4 -L root -d "$root" "$file" 8G
echo "$recipe" >"$file.recipe"
