#!/bin/bash
# Boots a Debian machine with cgroup v2 and tries Flotilla in it: also a power cut while the example runs. Last line: N passed, N failed.
#   run.sh [CHECK…]   checks (below), those of guest.sh; all without names
#   VM_ACCEL (kvm where /dev/kvm works, else tcg)   VM_MEMORY (4G)   VM_CPUS (2)   VM_DIR (/var/cache/flotilla/vm)   VM_SUITE (bookworm)
#   VM_LIMIT: seconds for each boot
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=${VM_DIR:-/var/cache/flotilla/vm}
suite=${VM_SUITE:-bookworm}
images=${DEMO_IMAGES_DIR:-/var/cache/flotilla/demo-images}
limit=${VM_LIMIT:-1800}
[ "$(id -u)" = 0 ] || { echo "the machine's disk is made as root: sudo make vm-test" >&2; exit 1; }

missing=()
for pair in qemu-system-x86_64=qemu-system-x86 mmdebstrap=mmdebstrap mke2fs=e2fsprogs; do
  command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p "$dir"
test/vm/image.sh "$dir/$suite.ext4"

# A machine in a machine may have a /dev/kvm in which no kernel gets far: only one that has begun counts.
kvm_boots() {
  [ -w /dev/kvm ] || return 1
  timeout 15 qemu-system-x86_64 -accel kvm -machine q35 -cpu host -m 512M -display none -nodefaults -no-reboot -serial stdio \
    -kernel "$dir/$suite.ext4.vmlinuz" -append 'console=ttyS0 panic=-1' </dev/null 2>/dev/null | grep -q -m 1 'Linux version'
}
accel=${VM_ACCEL:-}
if [ -z "$accel" ]; then if kvm_boots; then accel=kvm; else accel=tcg; fi; fi
case $accel in kvm) cpu=host ;; *) cpu=max ;; esac

work=$(mktemp -d "$dir/run-XXXXXX")
qemu=
cleanup() { if [ -n "$qemu" ]; then kill -9 "$qemu" 2>/dev/null || true; fi; rm -rf "$work"; }
trap cleanup EXIT

# The second disk: this checkout as it is, its packages, and the images of the registry.
mkdir -p "$work/flotilla/checkout" "$work/flotilla/demo-images"
git ls-files -z -co --exclude-standard | xargs -0 ls -d 2>/dev/null | grep -v '^node_modules$' | tar -c -T - | tar -x -C "$work/flotilla/checkout"
cp -a dist "$work/flotilla/checkout/"
cp -a "$(readlink -f node_modules)" "$work/flotilla/checkout/node_modules"
# As after an installation: nothing to fetch.
touch "$work/flotilla/checkout/node_modules"
if [ -d src/spec/generated ]; then cp -a src/spec/generated "$work/flotilla/checkout/src/spec/"; fi
cp -a "$images/registry" "$images"/*.stamp "$work/flotilla/demo-images/"
rm -f "$work/flotilla/demo-images/registry/pid" "$work/flotilla/demo-images/registry/log"
mke2fs -q -t ext4 -L flotilla -d "$work/flotilla" "$work/flotilla.ext4" 3G
rm -rf "$work/flotilla"

boot() {  # boot JOB [KERNEL WORDS]: starts the machine; its console goes to $work/console
  : >"$work/console"
  shown=0
  qemu-system-x86_64 -accel "$accel" -machine q35 -cpu "$cpu" -smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-4G}" \
    -display none -nodefaults -no-reboot -serial "file:$work/console" \
    -kernel "$dir/$suite.ext4.vmlinuz" -initrd "$dir/$suite.ext4.initrd" \
    -append "root=/dev/vda rw console=ttyS0 panic=-1 loglevel=4 systemd.show_status=0 vm.accel=$accel vm.job=$1 ${2:-}" \
    -drive "file=$work/root.ext4,if=virtio,format=raw,cache=writeback" -drive "file=$work/flotilla.ext4,if=virtio,format=raw,cache=writeback" &
  qemu=$!
}

watch() {  # watch PATTERN: shows the rest of the console until a line fits (0), the machine is off or the time is over (1)
  local lines end=$((SECONDS + limit))
  while :; do
    lines=$(wc -l <"$work/console")
    if [ "$lines" -gt "$shown" ]; then sed -n "$((shown + 1)),${lines}p" "$work/console" | tr -d '\r' | tee -a "$work/all"; shown=$lines; fi
    if grep -qE "$1" "$work/console"; then return 0; fi
    if ! kill -0 "$qemu" 2>/dev/null; then return 1; fi
    if [ $SECONDS -gt $end ]; then echo "vm: FAILED the machine was not done after $limit s" | tee -a "$work/all"; return 1; fi
    sleep 0.2
  done
}

off() { kill -9 "$qemu" 2>/dev/null || true; wait "$qemu" 2>/dev/null || true; qemu=; }

ids() { sed -n 's/^vm: containers //p' "$work/console" | tr -d '\r'; }  # that the machine told last

session() {  # session NAME JOB [KERNEL WORDS]: a boot that ends by itself
  echo "== $1 ($accel)"
  local began=$SECONDS
  boot "$2" "${3:-}"
  watch '^vm: end' || echo "vm: FAILED $1: the machine went off before the end" | tee -a "$work/all"
  off
  echo "== $1: $((SECONDS - began)) s"
}

power_cut() {  # power_cut NAME [KERNEL WORDS]: the machine is killed while the example runs, and boots again from the same disks
  echo "== $1 ($accel)"
  boot before-cut "${2:-}"
  watch '^vm: cut now' || echo "vm: FAILED $1: the machine went off early" | tee -a "$work/all"
  off
  session "$1, and the boot after it" after-cut "${2:-} vm.ids=$(ids)"
}

reboot() {  # reboot NAME: the machine reboots itself in order, which ends qemu, and boots again from the same disks
  echo "== $1 ($accel)"
  local began=$SECONDS
  boot service
  watch '^vm: rebooting' || echo "vm: FAILED $1: the machine went off early" | tee -a "$work/all"
  watch '^vm: nothing more' || true
  off
  echo "== $1: $((SECONDS - began)) s"
  session "$1, after its reboot" after-reboot "vm.ids=$(ids)"
}

plain=init=/usr/local/sbin/plain-init
: >"$work/all"
checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(systemd commands powercut plain plain-powercut engine product)
for check in "${checks[@]}"; do
  cp --sparse=always "$dir/$suite.ext4" "$work/root.ext4" # each begins on a new machine
  case $check in
    systemd) reboot 'the service' ;;
    commands) session 'commands under systemd' commands ;;
    plain) session 'without systemd' commands "$plain" ;;
    engine) session 'tests of the engine' engine "$plain" ;;
    product) session 'tests of the product' product "$plain" ;;
    powercut) power_cut 'a power cut' ;;
    plain-powercut) power_cut 'a power cut without systemd' "$plain" ;;
    *) echo "no check is named $check: systemd, commands, powercut, plain, plain-powercut, engine, product" >&2; exit 2 ;;
  esac
done
failed=$(grep -c '^vm: FAILED' "$work/all" || true)
passed=$(grep -c '^vm: ok' "$work/all" || true)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
