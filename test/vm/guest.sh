#!/bin/bash
# What the machine does that run.sh boots: `vm.job` on the kernel's command line names it. Each line `vm: ok …` or `vm: FAILED …` counts.
# No pipefail: grep -q ends a pipe as soon as it has seen enough.
set -u
export PATH=/flotilla/checkout/node_modules/.bin:/flotilla/checkout/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1
export DEMO_IMAGES_DIR=/flotilla/demo-images
cd /flotilla/checkout
word() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
job=$(word vm.job)
slow=1; [ "$(word vm.accel)" = kvm ] || slow=6
site=http://127.0.0.1:8080
full=examples/fullstack
if [ $slow -gt 1 ]; then
  # An emulated machine needs longer than 3 s for a health check.
  export COMPOSE_FILE=compose.yaml:/tmp/slow.yaml
  printf 'services:\n' >/tmp/slow.yaml
  for one in web api db cache; do printf '  %s: {healthcheck: {timeout: 60s, start_period: 300s}}\n' $one >>/tmp/slow.yaml; done
fi

say() { echo "vm: $*"; }
check() {  # check NAME COMMAND…: its output is shown when it fails
  local name=$1 out; shift
  if out=$("$@" 2>&1); then say "ok $name"; else say "FAILED $name"; printf '%s\n' "$out" | tail -n 30; tail -n 15 /var/lib/flotilla/daemon.log 2>/dev/null; fi
}
until_true() {  # until_true SECONDS COMMAND…
  local end=$((SECONDS + $1 * slow)); shift
  until "$@"; do [ $SECONDS -lt $end ] || { echo "not within the time: $*"; return 1; }; sleep 0.2; done
}
compose() { # compose DIRECTORY ARGUMENTS…; only the full example has the services of /tmp/slow.yaml
  (cd "$1" && { [ "$1" = "$full" ] || unset COMPOSE_FILE; shift; flotilla compose "$@"; })
}
group_of() { # the control group of a container's first process
  sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup"
}
pid_of() { field "$1" Pid; }
daemon_pid() { flotilla info --format json | sed -n 's/.*"DaemonPid": *\([0-9]*\).*/\1/p'; }

begin() {
  for module in overlay veth nf_tables nft_ct nft_nat nft_masq nf_conntrack nf_nat dummy vxlan; do modprobe "$module" 2>/dev/null || true; done
  mkdir -p /etc/flotilla
  local mirror; mirror=$(examples/images/registry.sh start) || say "FAILED the registry starts"
  printf '{"registries": {"mirrors": {"docker.io": ["%s"]}}}\n' "$mirror" >/etc/flotilla/config.json
  export FLOTILLA_TEST_MIRROR=$mirror
  if [ -d /run/systemd/system ] && [ ! -e /etc/systemd/system/flotilla.service ]; then
    sed "s|@HOME@|$PWD|" packaging/flotilla.service >/etc/systemd/system/flotilla.service
    systemctl daemon-reload
    check 'the unit is enabled and starts' systemctl enable --now flotilla.service
  fi
}

. test/vm/guest-checks.sh
. test/vm/guest-service.sh
case $job in
  service | after-reboot) ;; # only what a newcomer does
  *) begin ;;
esac
case $job in
  service) service ;;
  after-reboot) after_reboot ;;
  commands) commands ;;
  before-cut) before_cut ;;
  after-cut) after_cut ;;
  engine) vitest_of test/e2e/engine ;;
  product) vitest_of test/e2e/product ;;
  shell) say "the machine waits"; sleep infinity ;;
  *) say "FAILED no job is named $job" ;;
esac
say end
sync
sleep infinity
