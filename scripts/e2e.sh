#!/bin/bash
# The tests that run containers, with images of Debian packages from a registry on loopback. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/node_modules/.bin:$PATH
scripts/setup.sh >&2
# The compiler and its static library make the probes that try to escape.
scripts/need.sh docker-registry=docker-registry cc=gcc pgrep=procps /usr/include/stdio.h=libc6-dev >&2
node examples/images/build.ts >&2
FLOTILLA_TEST_MIRROR=$(examples/images/registry.sh url)
export FLOTILLA_TEST_MIRROR
exec vitest run --config vitest.e2e.config.ts "$@"
