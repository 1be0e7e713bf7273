#!/bin/bash
# Runs the example application. Where Docker Hub can't be reached, its base images are first made from Debian packages and served
# on loopback as a mirror of docker.io; with a public registry nothing of that happens.
set -euo pipefail
cd "$(dirname "$0")/.."
flotilla=$PWD/bin/flotilla

hub_answers() { curl -sS -m 5 -o /dev/null https://registry-1.docker.io/v2/ 2>/dev/null; }

if [ -z "${FLOTILLA_CONFIG:-}" ] && ! hub_answers; then
  echo "Docker Hub does not answer: the base images are made from Debian packages (a few minutes, once)."
  command -v docker-registry >/dev/null || { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker-registry >/dev/null; }
  make --no-print-directory demo-images
  mirror=$(examples/images/registry.sh url)
  mkdir -p /var/cache/flotilla
  printf '{"registries": {"mirrors": {"docker.io": ["%s"]}}}\n' "$mirror" >/var/cache/flotilla/demo-config.json
  export FLOTILLA_CONFIG=/var/cache/flotilla/demo-config.json
fi

cd examples/fullstack
"$flotilla" compose up -d --wait
port=$(sed -n 's/^WEB_PORT=//p' .env)
port=${WEB_PORT:-$port}
url=http://localhost:$port
curl -fsS -X POST -H 'content-type: application/json' -d '{"body": "the first note of the demo"}' "$url/api/notes" >/dev/null
"$flotilla" compose ps
echo
echo "The application answers at $url"
curl -fsS "$url/api/notes"; echo
echo
echo "Next:  cd examples/fullstack; flotilla compose logs -f; flotilla compose down -v"
