#!/bin/bash
# All tests. Without root, those that run containers are left out, and said so. What failed is told once more at the end, shortly
# enough for a log of which only the end is kept. Last line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/node_modules/.bin:$PATH
passed=0 failed=0 lines_max=20
COUNTS=$(mktemp -d)
export COUNTS
trap 'rm -rf "$COUNTS"' EXIT
: >"$COUNTS/failures"
[ -t 1 ] && export FORCE_COLOR=1

add() { passed=$((passed + $1)) failed=$((failed + $2)); }

unfinished() {  # unfinished NAME: it did not get as far as counting; what it said last says why
  local last
  last=$(grep -v '^\s*$' "$COUNTS/output" | tail -3 | cut -c1-200 | tr '\n' '\t')
  printf '%s did not come to its end\t%s\n' "$1" "$last" >>"$COUNTS/failures"
  add 0 1
}

suite() {  # suite NAME COMMAND…: runs it and adds what vitest counted
  local name=$1 p f; shift
  rm -f "$COUNTS/counts"
  "$@" --reporter=default --reporter="$PWD/test/count-reporter.ts" 2>&1 | tee "$COUNTS/output"
  if ! read -r p f 2>/dev/null <"$COUNTS/counts"; then unfinished "$name"; return; fi
  cat "$COUNTS/left-out"
  echo "$name: $p passed, $f failed"
  add "$p" "$f"
}

counted() {  # counted NAME COMMAND…: runs a command whose last line is N passed, N failed; each failure is a line that shows it
  local name=$1 told; shift
  "$@" 2>&1 | tee "$COUNTS/output"
  if [[ $(tail -1 "$COUNTS/output") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    add "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    [ "${BASH_REMATCH[2]}" -gt 0 ] || return 0
    told=$(grep -E '^(SEED=|FAIL |round [0-9]+: |  [^ ]+: )|NOT CAUGHT' "$COUNTS/output" || grep -v '^\s*$' "$COUNTS/output" | tail -4 | head -3)
    sed -E "s/^ */$name: /" <<<"$told" | tr '\t' ' ' | cut -c1-220 >>"$COUNTS/failures"
  else unfinished "$name"; fi
}

failures() {  # the more there are, the less of each
  local count each
  count=$(wc -l <"$COUNTS/failures")
  [ "$count" -gt 0 ] || return
  each=$((lines_max / count)); [ "$each" -ge 1 ] || each=1
  head -n "$lines_max" "$COUNTS/failures" | awk -F '\t' -v each="$each" '{ print "FAILED " $1; for (i = 2; i <= NF && i <= each; i++) if ($i != "") print "    " $i }'
  [ "$count" -le "$lines_max" ] || echo "… and $((count - lines_max)) more above"
}

if [ "$(id -u)" = 0 ]; then
  # What containers need, and what makes small disks and failing syncs.
  scripts/setup.sh && scripts/need.sh mkfs.ext4=e2fsprogs strace=strace openssl=openssl || { echo "0 passed, 1 failed"; exit 1; }
fi
suite unit vitest run
# The proofs of the store, in their short form: `make sim mutations raft-vectors wal-crash chaos` are the long one.
counted 'simulated clusters' make --no-print-directory -s sim SEEDS="${SEEDS:-1000}"
counted 'known mistakes' make --no-print-directory -s mutations SEEDS=5
counted 'log under kill -9' make --no-print-directory -s wal-crash KILLS=10
if [ -d "${CASES:-../shared/conformance}" ]; then
  counted 'cases of the consensus core' make --no-print-directory -s raft-vectors
  counted 'cases of the Compose language' make --no-print-directory -s conformance
else
  echo "cases from outside: left out, there are none at ${CASES:-../shared/conformance}: CASES=dir make test"
fi
if [ "$(id -u)" = 0 ]; then
  counted 'managers under faults' make --no-print-directory -s chaos EPISODES=10
  suite 'end to end' scripts/e2e.sh
else
  echo "end to end, managers under faults: left out, they need root: sudo make test"
fi
failures
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
