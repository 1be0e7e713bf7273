#!/bin/bash
# Process 1 of a machine without systemd: mounts what a machine has, and runs what it was started for.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -o remount,rw /
mount /dev/vdb /flotilla
ip link set lo up
hostname flotilla-vm
setsid /flotilla/checkout/test/vm/guest.sh </dev/null >/dev/ttyS0 2>&1 &
# Process 1 buries the orphans.
while :; do wait -n 2>/dev/null || sleep 1; done
