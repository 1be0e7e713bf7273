#!/bin/bash
# Installs the npm packages of the lock file, among them the Node 24 that everything here runs with: npm itself may be of Node 18.
set -euo pipefail
cd "$(dirname "$0")/.."
case $(uname -m) in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
node24=node_modules/node-linux-$arch/bin/node
install() { "$@" ci --no-audit --no-fund --loglevel=error; }

install npm
if [ -x "$node24" ] && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 24 ]; then
  # An older Node's npm leaves out what asks for a newer one, the compilers' binaries: so once more, under Node 24.
  own=$(mktemp -d)
  trap 'rm -rf "$own"' EXIT
  cp "$node24" "$own/node"
  # Debian's Node finds the parts of its npm in these directories by itself; another Node has to be told.
  export NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs:/usr/lib/$(uname -m)-linux-gnu/nodejs
  NODE_OPTIONS=--no-deprecation PATH=$own:$PATH install "$own/node" "$(readlink -f "$(command -v npm)")"
fi
# npm 9 leaves this link out: the package of the other architecture has one of the same name.
if [ -x "$node24" ]; then ln -sfn "../node-linux-$arch/bin/node" node_modules/.bin/node; fi
touch node_modules
