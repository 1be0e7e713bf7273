#!/bin/bash
# A registry on loopback that holds the examples' base images, as a mirror of docker.io.
#   registry.sh start [PORT]   starts it unless it runs; prints its URL
#   registry.sh stop           stops the one that `start` began, and no other
#   registry.sh url            prints its URL; fails if it does not run
set -euo pipefail
home=${DEMO_IMAGES_DIR:-/var/cache/flotilla/demo-images}
state=$home/registry
pid_file=$state/pid
port_file=$state/port

is_ours() {  # the pid in the file is alive and is a registry that reads our configuration
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$state/config.yml"
}

answers() {  # a registry speaks on the port
  timeout 10 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET /v2/ HTTP/1.0\r\n\r\n" >&3 && read -r line <&3 && [[ $line == *" 200 "* ]]' bash "$1" 2>/dev/null
}

url() { is_ours && answers "$(cat "$port_file")" && echo "http://127.0.0.1:$(cat "$port_file")"; }

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start() {
  url && return
  command -v docker-registry >/dev/null || { echo "docker-registry is not installed: sudo apt-get install docker-registry" >&2; exit 1; }
  mkdir -p "$state/storage"
  local port=${1:-$(cat "$port_file" 2>/dev/null || echo 5050)} tries=0
  until is_free "$port"; do port=$((port + 1)); tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "no free port" >&2; exit 1; }; done
  cat >"$state/config.yml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $state/storage}
  cache: {blobdescriptor: inmemory}
http: {addr: "127.0.0.1:$port"}
YAML
  OTEL_TRACES_EXPORTER=none setsid docker-registry serve "$state/config.yml" >"$state/log" 2>&1 </dev/null &
  echo $! >"$pid_file"
  echo "$port" >"$port_file"
  for _ in $(seq 100); do
    url && return
    kill -0 "$(cat "$pid_file")" 2>/dev/null || { tail -5 "$state/log" >&2; exit 1; }
    sleep 0.05
  done
  echo "the registry does not answer; see $state/log" >&2; exit 1
}

stop() {
  is_ours || return 0
  kill "$(cat "$pid_file")"
  for _ in $(seq 100); do is_ours || break; sleep 0.05; done
  rm -f "$pid_file"
}

mkdir -p "$home"
case ${1:-} in
  start) exec 8>"$home/.registry.lock"; flock 8; start "${2:-}" 8>&- ;;
  stop) stop ;;
  url) url ;;
  *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
