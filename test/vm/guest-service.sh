# What guest.sh tries of the service under systemd, sourced by it: set-up as a newcomer does it, restarts, a reboot.

is_enabled() { systemctl is-enabled --quiet flotilla.service; }
is_active() { systemctl is-active --quiet flotilla.service; }
main_pid() { systemctl show --property=MainPID --value flotilla.service; }
service_answers() { is_active && [ "$(daemon_pid)" = "$(main_pid)" ]; }
shows_status() { systemctl status --no-pager flotilla.service | grep -E 'Active: active \(running\)'; }
logs_to_journal() { journalctl --no-pager --unit flotilla.service | grep -F daemon.ready; }
has_no_service() { [ -e /etc/systemd/system/flotilla.service ] && ! is_enabled && ! is_active; }
all_the_same() { all_alive "$1" && [ "$(container_pids)" = "$1" ] && curl -fsS -m 10 "$site/" >/dev/null; }

# The verb is done, the same containers run, and another process of the service is their daemon.
changes_only_the_daemon() {
  local before=$1 pid; shift
  pid=$(daemon_pid)
  "$@" || return 1
  until_true 30 service_answers || return 1
  [ "$(daemon_pid)" != "$pid" ] || { echo 'the same daemon'; return 1; }
  all_the_same "$before"
}
kill_main() { kill -9 "$(main_pid)"; }
# By default systemd gives a unit up after five ends in ten seconds.
kill_main_often() { for _ in $(seq $((slow > 1 ? 2 : 8))); do kill_main; until_true 30 service_answers || return 1; done; }
stopped_service_stops_nothing() { systemctl stop flotilla.service && ! is_active && all_alive "$1" && curl -fsS -m 10 "$site/" >/dev/null; }
command_starts_the_service() { ! is_active && flotilla info >/dev/null && service_answers; }
demo_names_the_setting() { ! scripts/demo.sh >/tmp/demo 2>&1 && grep -F /etc/flotilla/config.json /tmp/demo || { cat /tmp/demo; return 1; }; }
give_the_mirror() {
  local url; url=$(until_true 10 examples/images/registry.sh url) || { echo "$url"; return 1; }
  mkdir -p /etc/flotilla
  printf '{"registries": {"mirrors": {"docker.io": ["%s"]}}}\n' "$url" >/etc/flotilla/config.json
}

# Its one process takes no notice of SIGTERM, as many do that were not written to be a process 1.
write_deaf() {
  mkdir -p /root/deaf
  printf 'services: {deaf: {image: busybox, command: [sleep, infinity], restart: always}}\n' >/root/deaf/compose.yaml
}

service() {
  check 'set-up' scripts/setup.sh
  check 'set-up brings the unit, and leaves it off' has_no_service
  check 'the command is on the PATH' test "$(readlink -f /usr/local/bin/flotilla)" = "$PWD/bin/flotilla"
  check 'the demo, by a daemon of the command' scripts/demo.sh
  check 'the site answers and writes' until_true 10 posts_note 'before the service'
  local pids; pids=$(container_pids)
  check 'the service takes over, no container notices' changes_only_the_daemon "$pids" systemctl enable --now flotilla.service
  check 'systemctl status' shows_status
  check 'the log is the journal' logs_to_journal
  check 'systemctl restart stops no container' changes_only_the_daemon "$pids" systemctl restart flotilla.service
  check 'killed: systemd starts another' changes_only_the_daemon "$pids" kill_main
  check 'killed again and again: still' changes_only_the_daemon "$pids" kill_main_often
  check 'systemctl stop stops no container' stopped_service_stops_nothing "$pids"
  check 'a command starts the service' command_starts_the_service
  check 'the demo says what the service lacks' demo_names_the_setting
  check 'it is given the mirror' give_the_mirror
  check 'systemctl restart, with other settings' changes_only_the_daemon "$pids" systemctl restart flotilla.service
  check 'the demo, by the service' scripts/demo.sh
  check 'all is as before' all_the_same "$pids"
  write_deaf
  check 'one that is deaf to SIGTERM' compose /root/deaf up -d
  check 'a note before the reboot' posts_note 'before the reboot'
  say "containers $(container_ids)"
  date +%s >/root/rebooted.at
  say "rebooting"
  systemctl reboot
  sleep infinity
}

shut_down_quickly() { # from the command to the next kernel
  local took=$(($(sed -n 's/^btime //p' /proc/stat) - $(cat /root/rebooted.at)))
  say "the reboot took $took s, to the kernel" >&3
  [ $took -lt $((40 + 20 * slow)) ]
}

after_reboot() {
  exec 3>&1
  check 'the machine went down without waiting for the deaf' shut_down_quickly
  check 'the service is there after the boot' until_true 60 service_answers
  check 'all comes back healthy' until_true 120 all_healthy
  check 'also the deaf' until_true 30 has_state deaf-deaf-1 running
  check 'the site answers with the notes of before' until_true 20 has_note 'before the reboot'
  check 'the same containers' same_containers
  check 'in the order of the conditions' in_order
  check 'a new note' posts_note 'after the boot'
  check 'down' compose $full down -v -t 5
  check 'deaf: down' compose /root/deaf down -t 0
  check 'systemctl disable --now' systemctl disable --now flotilla.service
}
