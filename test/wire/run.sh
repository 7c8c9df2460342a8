#!/usr/bin/env bash
# The case suites of the stores over the wire, and a server on S3: S3 against miniflare (R2's endpoint), DynamoDB against dynoxide, both on
# 127.0.0.1 and ended by pid. Needs the root's packages. The servers are installed in here: miniflare by npm, dynoxide by
# cargo (1 to 4 minutes, once), or named by DYNOXIDE. The table is the stack's own (test/infra/table-definition.json).
# Last line: "N passed, N failed[, N skipped]". A server that cannot be installed is skipped, loudly.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH" CI=true NO_COLOR=1
unset FORCE_COLOR
readonly here=test/wire bucket=sluice-wire
readonly dynoxide_version=3.2.0 dynoxide_root="$PWD/$here/.servers"
readonly logs=$(mktemp -d)
pids=()
passed=0 failed=0 skipped=0

finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$logs"
}
trap finish EXIT

# Debug code compiles in half the time and is fast enough.
install_dynoxide() {
  [[ -z ${DYNOXIDE:-} ]] || return 0
  [[ "$("$dynoxide_root/bin/dynoxide" --version 2>/dev/null)" != *"$dynoxide_version"* ]] || return 0
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 timeout 400 cargo install dynoxide-rs --version "$dynoxide_version" --locked --debug \
    --no-default-features --features native-sqlite,http-server,cli --root "$dynoxide_root"
}

free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

# listens <port> <pid>: waits until it does, at most 30 s
listens() {
  for _ in {1..150}; do
    kill -0 "$2" 2>/dev/null || return 1
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.2
  done
  return 1
}

# suite <name of the test file>; counts what it did
suite() {
  local report="$logs/$1.json" counts
  vitest run --root "$here" "$1" --reporter=default --reporter=json --outputFile.json="$report" || true
  counts=$(node -e '
    const report = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"))
    const broken = report.testResults.filter((file) => file.status === "failed" && !file.assertionResults.some((one) => one.status === "failed")).length
    console.log(report.numPassedTests, report.numFailedTests + broken, report.numPendingTests)' "$report" || echo '0 1 0')
  read -r p f s <<<"$counts"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

install_dynoxide >"$logs/dynoxide-install.log" 2>&1 &
dynoxide_install=$!
pids+=("$dynoxide_install")

if npm ci --prefix "$here" --no-audit --no-fund; then
  node "$here/s3-server.mjs" 0 "$bucket" >"$logs/s3.log" 2>&1 &
  s3=$!
  pids+=("$s3")
  for _ in {1..150}; do
    ! grep -q '^ready ' "$logs/s3.log" || break
    kill -0 "$s3" 2>/dev/null || break
    sleep 0.2
  done
  if origin=$(sed -n 's/^ready //p' "$logs/s3.log") && [[ -n $origin ]]; then
    export WIRE_S3_ENDPOINT="$origin/cdn-cgi/local/r2/s3"
    suite s3.wire.test.ts
    suite catalog.wire.test.ts
  else
    cat "$logs/s3.log"
    echo 'miniflare did not start'
    failed=$((failed + 1))
  fi
else
  printf '\n!!! SKIPPED: miniflare could not be installed here, nothing of S3 was proven\n'
  skipped=$((skipped + 1))
fi

if wait "$dynoxide_install"; then
  port=$(free_port)
  "${DYNOXIDE:-$dynoxide_root/bin/dynoxide}" --host 127.0.0.1 --port "$port" >"$logs/dynoxide.log" 2>&1 &
  dynoxide=$!
  pids+=("$dynoxide")
  if listens "$port" "$dynoxide"; then
    WIRE_DYNAMODB_ENDPOINT="http://127.0.0.1:$port" WIRE_TABLE=test/infra/table-definition.json suite dynamodb.wire.test.ts
  else
    cat "$logs/dynoxide.log"
    echo 'dynoxide did not start'
    failed=$((failed + 1))
  fi
else
  tail -n 20 "$logs/dynoxide-install.log"
  printf '\n!!! SKIPPED: dynoxide could not be installed here, nothing of DynamoDB was proven\n'
  skipped=$((skipped + 1))
fi

line="$passed passed, $failed failed"
((skipped == 0)) || line+=", $skipped skipped"
echo "$line"
((failed == 0))
