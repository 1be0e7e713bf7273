# What guest.sh tries, sourced by it. Every check is a function, so that its name and its output can be told.

says_version_2() { flotilla info --format json | grep -E '"CgroupVersion": *2'; }
answers_page() { curl -fsS -m 5 http://127.0.0.1:8081/ | grep -q 'Hello from Flotilla'; }
hello_runs() { compose examples/hello exec -T web sh -c 'echo from inside' | grep -q 'from inside' && compose examples/hello logs web 2>&1 | grep 'response:200'; }
posts_note() { curl -fsS -m 10 -X POST -H 'content-type: application/json' -d "{\"body\": \"$1\"}" "$site/api/notes"; }
has_note() { curl -fsS -m 10 "$site/api/notes" | grep -q "$1"; }
reads() { local value; value=$(cat "/sys/fs/cgroup$1") || return 1; [ "$value" = "$2" ] || { echo "$1 holds $value, not $2"; return 1; }; }
field() { flotilla inspect "$1" | sed -n "s/^ *\"$2\": *\"\{0,1\}\([^\",]*\).*/\1/p" | head -n 1; }
has_state() { [ "$(field "$1" Status)" = "$2" ]; }
restarted() { [ "$(pid_of limits-fork-1)" != "$1" ] && has_state limits-fork-1 running; }

# What containers and networks leave: mounts, namespaces, links, groups, monitors, rules' elements.
traces() {
  grep -E 'flotilla|netns' /proc/self/mountinfo | cut -d' ' -f5
  ls /run/netns 2>/dev/null
  ls /sys/class/net
  find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -type d -path '*flotilla-*'
  pgrep -a 'conmon|crun|runc'
  nft -n list ruleset | grep -E 'elements|dnat|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+' || true
}
nothing_left() { traces >/tmp/traces.after 2>&1; diff /tmp/traces.before /tmp/traces.after; }

write_limits() {
  mkdir -p /root/limits
  cat >/root/limits/compose.yaml <<'YAML'
name: limits
services:
  memory:
    image: busybox
    # Reads a line of 100 MB, which awk holds in memory.
    command: [sh, -c, "sleep 1; head -c 100000000 /dev/zero | tr '\\0' x | awk '{print length}'; sleep 1; exit 3"]
    mem_limit: 32m
    memswap_limit: 32m
  whole:
    image: busybox
    command: [sh, -c, "exec awk 'BEGIN{x=\"x\"; while(1) x=x x}'"]
    mem_limit: 32m
    memswap_limit: 32m
  fork:
    image: busybox
    command: [sleep, infinity]
    init: true
    pids_limit: 20
    cpus: 0.5
    cpu_shares: 512
    cpuset: "0"
    mem_limit: 64m
    mem_reservation: 32m
    restart: unless-stopped
YAML
}
forks_end() { compose /root/limits exec -T fork sh -c 'i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done' 2>&1 | grep -i "can't fork"; }
killed_for_memory() { [ "$(field limits-whole-1 OOMKilled)" = true ] && [ "$(field limits-whole-1 ExitCode)" = 137 ]; }
kills_counted() { grep -q '^oom_kill [1-9]' "/sys/fs/cgroup$(cat /tmp/memory.group)/memory.events" || [ "$(field limits-memory-1 OOMKilled)" = true ]; }
denies_devices() { ! compose /root/limits exec -T fork sh -c 'mknod /dev/vda b 254 0 && head -c 1 /dev/vda' ; }
hides_groups() { [ "$(compose /root/limits exec -T fork cat /proc/self/cgroup)" = 0::/ ] && ! compose /root/limits exec -T fork sh -c 'echo 10 > /sys/fs/cgroup/pids.max'; }
all_alive() { for pid in $1; do [ -d "/proc/$pid" ] || { echo "process $pid is gone"; return 1; }; done; }
container_pids() { local id; for id in $(flotilla ps -q); do pid_of "$id"; done; }
killed_daemon_changes_nothing() {
  local pids before; pids=$(container_pids); before=$(daemon_pid)
  [ -n "$pids" ] && [ -n "$before" ] || { echo "no processes or no daemon: $pids / $before"; return 1; }
  kill -9 "$before"
  curl -fsS -m 10 "$site/" >/dev/null || return 1
  all_alive "$pids" || return 1
  until_true 20 flotilla info >/dev/null || return 1
  [ "$(daemon_pid)" != "$before" ] || { echo 'the same daemon'; return 1; }
  all_alive "$pids" && [ "$(container_pids)" = "$pids" ] && until_true 20 has_note 'before the kill'
}

commands() {
  check 'doctor finds all that is needed' flotilla doctor
  check 'doctor and info say version 2' says_version_2
  # What the first application leaves for all that follow is no leak.
  check 'hello: up' compose examples/hello up -d --wait
  check 'hello: answers' until_true 5 answers_page
  check 'hello: ps, exec, logs' hello_runs
  check 'hello: down' compose examples/hello down
  sleep 1; traces >/tmp/traces.before 2>&1

  write_limits
  check 'limits: up' compose /root/limits up -d
  group_of limits-memory-1 >/tmp/memory.group
  local group; group=$(group_of limits-fork-1)
  check 'memory.max is the limit' reads "$group/memory.max" 67108864
  check 'memory.low is the reservation' reads "$group/memory.low" 33554432
  check 'pids.max is the limit' reads "$group/pids.max" 20
  check 'cpu.max is the limit' reads "$group/cpu.max" '50000 100000'
  check 'cpuset.cpus is the set' reads "$group/cpuset.cpus" 0
  check 'forks beyond pids.max fail' forks_end
  check 'a device that is not given is refused' denies_devices
  check 'a container sees its own group, and cannot change it' hides_groups
  check 'out of memory: killed, and said so' until_true 30 killed_for_memory
  check 'a child killed for memory is counted' until_true 30 kills_counted
  local first; first=$(pid_of limits-fork-1)
  kill -9 "$first"
  check 'a killed container starts again' until_true 20 restarted "$first"
  check 'stop' compose /root/limits stop -t 2
  check 'stopped is stopped' has_state limits-fork-1 exited
  check 'limits: down' compose /root/limits down -t 0

  check 'fullstack: up --wait' compose $full up -d --wait
  check 'fullstack: the site answers and writes' until_true 10 posts_note 'before the kill'
  check 'fullstack: the memory limit of the API holds' reads "$(group_of fullstack-api-1)/memory.max" 268435456
  check 'the daemon is killed: nothing stops, a new one adopts' killed_daemon_changes_nothing
  check 'fullstack: logs' compose $full logs --tail 2
  check 'fullstack: restart' compose $full restart worker
  check 'fullstack: down -v' compose $full down -v
  check 'nothing is left over' until_true 5 nothing_left
}

before_cut() {
  check 'up before the cut' compose $full up -d --wait
  check 'a note before the cut' until_true 10 posts_note 'before the cut'
  say "containers $(container_ids)"
  check 'a second note' posts_note 'the moment before'
  # Both notes are acknowledged by a database that syncs: nothing here may sync for it.
  say 'cut now'
  sleep infinity
}

in_order() { # each started after what it waits for
  local name db api web
  for name in db api web; do declare "$name=$(date +%s%N -d "$(field "fullstack-$name-1" StartedAt)")"; done
  echo "db $db api $api web $web"
  [ "$db" -lt "$api" ] && [ "$api" -lt "$web" ]
}
container_ids() { flotilla ps -q | sort | tr '\n' ,; }
# NOTE: the ids of before come by the kernel's command line: a file would have to be synced, and that would help what is tried here.
same_containers() { [ "$(container_ids)" = "$(word vm.ids)" ] || { echo "$(word vm.ids) before, $(container_ids) now"; return 1; }; }
all_healthy() { [ "$(flotilla ps | tee /tmp/ps | grep -c '(healthy)')" = 4 ] || { cat /tmp/ps; return 1; }; }

after_cut() {
  # Without systemd nobody starts the daemon at boot; asking does.
  check 'the daemon answers after the boot' until_true 30 flotilla info
  check 'all comes back healthy' until_true 120 all_healthy
  check 'the site answers with the notes of before' until_true 20 has_note 'before the cut'
  check 'also with the last one' has_note 'the moment before'
  check 'the same containers' same_containers
  check 'in the order of the conditions' in_order
  check 'up has nothing to change' compose $full up -d --wait
  check 'the same containers still' same_containers
  check 'a new note' posts_note 'after the boot'
  check 'the store verifies' flotilla store status
  check 'down' compose $full down -v -t 5
  check 'hello comes up on the same disk' compose examples/hello up -d --wait
  check 'hello goes' compose examples/hello down -t 0
}

vitest_of() { # each test counts; times are longer where the machine is emulated
  local report=/tmp/report.json
  vitest run --config vitest.e2e.config.ts --testTimeout $((120000 * slow)) --hookTimeout $((120000 * slow)) --reporter=default --reporter=json --outputFile.json=$report "$@" 2>&1
  node -e '
    const report = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    for (const file of report.testResults) {
      if (file.assertionResults.length === 0) console.log(`vm: FAILED ${file.name}: ${file.message}`);
      for (const one of file.assertionResults) console.log(one.status === "passed" ? `vm: ok ${one.fullName}` : one.status === "failed" ? `vm: FAILED ${one.fullName}` : `left out: ${one.fullName}`);
    }' $report || say "FAILED no report of the tests"
}
