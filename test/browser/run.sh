#!/usr/bin/env bash
# The page at / in Chromium: Debian's package, installed here where it is missing. Needs the root's packages.
# Last line: "N passed, N failed". Exit status 77: there is no Chromium, and it could not be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export CI=true NO_COLOR=1 DEBIAN_FRONTEND=noninteractive

install() {
  npm ci --prefix test/browser --no-audit --no-fund || return 1
  command -v chromium >/dev/null && return 0
  apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends chromium >/dev/null
}

if ! install; then
  echo 'SKIPPED: Chromium could not be installed here'
  exit 77
fi

CHROMIUM=$(command -v chromium)
export CHROMIUM
vitest=0
node_modules/.bin/node node_modules/typescript/bin/tsc -p test/browser || vitest=1
report=$(mktemp)
trap 'rm -f "$report"' EXIT
node_modules/.bin/node node_modules/vitest/vitest.mjs run --config test/browser/vitest.config.ts \
  --reporter=default --reporter=json --outputFile.json="$report" || vitest=1
node -e '
  const report = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
  console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed`)' "$report"
((vitest == 0))
