#!/bin/bash
# Runs the example application. Where Docker Hub can't be reached, its base images are first made from Debian packages and served
# on loopback as a mirror of docker.io; with a public registry nothing of that happens.
set -euo pipefail
cd "$(dirname "$0")/.."
flotilla=$PWD/bin/flotilla

# Only a registry answers so: a proxy on the way says something else.
hub_answers() { [[ $(curl -s -m 5 -o /dev/null -w '%{http_code}' https://registry-1.docker.io/v2/ 2>/dev/null) =~ ^(200|401)$ ]]; }

if [ -z "${FLOTILLA_CONFIG:-}" ] && ! hub_answers; then
  echo "Docker Hub does not answer: the base images are made from Debian packages (a few minutes, the first time)."
  scripts/need.sh docker-registry=docker-registry
  make --no-print-directory demo-images
  mirror=$(examples/images/registry.sh url)
  pid_file=${FLOTILLA_RUN:-/run/flotilla}/daemon.pid
  if systemctl is-active --quiet flotilla 2>/dev/null || systemctl is-enabled --quiet flotilla 2>/dev/null; then
    # The service has its own settings, which are not the demo's to change.
    if ! grep -qsF "\"$mirror\"" /etc/flotilla/config.json; then
      echo "the service flotilla runs without the mirror: add {\"registries\": {\"mirrors\": {\"docker.io\": [\"$mirror\"]}}} to /etc/flotilla/config.json, then: systemctl restart flotilla" >&2
      exit 1
    fi
  else
    mkdir -p /var/cache/flotilla
    printf '{"registries": {"mirrors": {"docker.io": ["%s"]}}}\n' "$mirror" >/var/cache/flotilla/demo-config.json
    export FLOTILLA_CONFIG=/var/cache/flotilla/demo-config.json
    # A daemon that runs already does not know the mirror. Its containers outlive it, so it is stopped; the next command starts one that does.
    if pid=$(cat "$pid_file" 2>/dev/null) && grep -qaF daemon "/proc/$pid/cmdline" 2>/dev/null && ! tr '\0' '\n' <"/proc/$pid/environ" | grep -qxF "FLOTILLA_CONFIG=$FLOTILLA_CONFIG"; then
      kill "$pid"
      for _ in $(seq 100); do [ -e "/proc/$pid" ] || break; sleep 0.05; done
    fi
  fi
fi

cd examples/fullstack
"$flotilla" compose up -d --wait
port=$(sed -n 's/^WEB_PORT=//p' .env)
port=${WEB_PORT:-$port}
url=http://localhost:$port
if ! curl -fsS "$url/api/notes" | grep -q '"body"'; then
  curl -fsS -X POST -H 'content-type: application/json' -d '{"body": "the first note of the demo"}' "$url/api/notes" >/dev/null
fi
"$flotilla" compose ps
echo
echo "The application answers at $url"
curl -fsS "$url/api/notes"; echo
echo
echo "Next:  cd examples/fullstack; flotilla compose logs -f; flotilla compose down -v"
if [ "${FLOTILLA_CONFIG:-}" = /var/cache/flotilla/demo-config.json ]; then
  echo "       this daemon pulls from a mirror on loopback; one that is started later does, too, after:  sudo install -D $FLOTILLA_CONFIG /etc/flotilla/config.json"
fi
