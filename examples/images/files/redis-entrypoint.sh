#!/bin/sh
# Options and a configuration file are given to redis-server, which runs as its own user.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
  # In a container the network is private: without a rule of its own the server answers other containers.
  if ! printf '%s\n' "$@" | grep -q -- --protected-mode && ! { [ -f "$2" ] && grep -q '^ *protected-mode' "$2"; }; then
    set -- "$@" --protected-mode no
  fi
  if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec gosu redis "$@"
  fi
fi
exec "$@"
