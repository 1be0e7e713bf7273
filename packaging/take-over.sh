#!/bin/sh
# Runs before the service's daemon: a daemon that a command began gives way to it. Containers run on, and the new daemon adopts them.
lock=${FLOTILLA_ROOT:-/var/lib/flotilla}/store/lock
[ -e "$lock" ] || exit 0
# The kernel says whether a daemon lives; the file, which.
flock -n "$lock" true && exit 0
kill "$(cat "$lock")" 2>/dev/null
flock -w 30 "$lock" true
