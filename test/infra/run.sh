#!/usr/bin/env bash
# The suite of the stack: installs SST in here and its platform in .sst/, type-checks sst.config.ts and infra/, evaluates
# the stack offline and asserts what it grants. Needs the root's packages. Last line: "N passed, N failed".
# Exit status 77: SST could not be installed here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1
export SST_SKIP_DEPENDENCY_CHECK=1 SST_NO_BUN=1 SST_TELEMETRY_DISABLED=1
readonly sst=4.17.1
report=$(mktemp)
trap 'rm -f "$report"' EXIT

install() {
  npm ci --prefix test/infra --no-audit --no-fund || return 1
  # provider-lock.json is written last: without it the platform is half made, and is made again.
  if [[ "$(cat .sst/platform/version 2>/dev/null)" != "$sst" || ! -s .sst/provider-lock.json ]]; then
    rm -rf .sst/platform .sst/provider-lock.json
    timeout 240 test/infra/node_modules/.bin/sst install --stage ci || return 1
  fi
}

if ! install; then
  echo "SKIPPED: SST $sst could not be installed here"
  exit 77
fi

types=0
tsc -p test/infra || types=1
tsc -p test/infra/tsconfig.suite.json || types=1
((types == 0)) || echo 'the stack does not pass the type check'

tests=0
vitest run --config test/infra/vitest.config.ts --reporter=default --reporter=json --outputFile.json="$report" || tests=1
node -e '
  const [file, types] = process.argv.slice(1)
  const report = JSON.parse(require("node:fs").readFileSync(file, "utf8"))
  const wrong = Number(types)
  console.log(`${report.numPassedTests + 1 - wrong} passed, ${report.numFailedTests + wrong} failed`)' "$report" "$types"
((types == 0 && tests == 0))
