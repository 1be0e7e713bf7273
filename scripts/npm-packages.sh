#!/bin/bash
# Installs the npm packages of the lock file, among them the Node 24 that everything here runs with: npm itself may be of Node 18.
set -euo pipefail
cd "$(dirname "$0")/.."
npm ci --no-audit --no-fund --loglevel=error
case $(uname -m) in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
# npm 9 leaves this link out: the package of the other architecture has one of the same name.
if [ -x "node_modules/node-linux-$arch/bin/node" ]; then ln -sfn "../node-linux-$arch/bin/node" node_modules/.bin/node; fi
touch node_modules
