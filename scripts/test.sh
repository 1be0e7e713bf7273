#!/bin/bash
# All tests. Without root, those that run containers are left out, and said so. Last line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/node_modules/.bin:$PATH
passed=0 failed=0

suite() {  # suite NAME COMMAND…: runs it and adds what vitest counted
  local name=$1 report; shift
  report=$(mktemp)
  "$@" --reporter=default --reporter=json --outputFile.json="$report" || true
  local p f
  p=$(node -p "JSON.parse(require('fs').readFileSync('$report','utf8')).numPassedTests" 2>/dev/null || echo 0)
  f=$(node -p "const r = JSON.parse(require('fs').readFileSync('$report','utf8')); r.numFailedTests + r.numFailedTestSuites * (r.numFailedTests === 0 ? 1 : 0)" 2>/dev/null || echo 1)
  left_out "$report"
  rm -f "$report"
  echo "$name: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
}

left_out() {  # says which tests the run skipped, by file: they lack root or the cases from outside
  node -e '
    const report = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
    for (const file of report.testResults) {
      const skipped = file.assertionResults.filter((one) => one.status === "pending" || one.status === "skipped").length;
      if (skipped > 0) console.log(`left out here: ${skipped} of ${require("path").relative(".", file.name)}`);
    }' "$1" 2>/dev/null || true
}

counted() {  # counted NAME COMMAND…: runs a command whose last line is N passed, N failed
  local name=$1 last; shift
  last=$("$@" 2>&1 | tee >(cat >&2) | tail -1)
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
  else
    echo "$name: no count in its last line: $last"; failed=$((failed + 1))
  fi
}

suite unit vitest run
counted 'simulated clusters' make --no-print-directory -s sim SEEDS="${SEEDS:-1000}"
if [ "$(id -u)" = 0 ]; then
  suite 'end to end' scripts/e2e.sh
else
  echo "end to end: left out, it needs root: sudo make test"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
