# Sourced by the suites here: environments of Python packages, and a server of their own. Sets `here`, `data`, and after
# start_server `url`. Servers are ended by their pids, the temporary directory goes.
readonly here=test/interop
readonly data=$(mktemp -d)
servers=()

finish() {
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$data"
}
trap finish EXIT

# install <environment> <list> [options of pip]: the list is copied last: without it the environment is half made, and is made again.
install() {
  ! cmp -s "$here/$2" "$here/$1/requirements.txt" || return 0
  rm -rf "${here:?}/$1"
  python3 -m venv "$here/$1" || return 1
  timeout 240 "$here/$1/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps --quiet "${@:3}" \
    -r "$here/$2" || return 1
  "$here/$1/bin/python" -m pip check || return 1
  cp "$here/$2" "$here/$1/requirements.txt"
}

# start <name> <what it prints before its address> <command …>: waits for the address, at most 30 s, and puts it into `address`
start() {
  local log="$data/$1.log" pid
  "${@:3}" >"$log" 2>&1 &
  pid=$!
  servers+=("$pid")
  for _ in {1..150}; do
    address=$(sed -n "s/^$2 //p" "$log" 2>/dev/null || true)
    [[ -z $address ]] || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  cat "$log"
  echo "the server $1 did not start"
  return 1
}

# start_server: in `url`
start_server() {
  if ! start sluice 'listening on' node bin/sluice.mjs serve --port 0 --data "$data/sluice"; then
    echo '0 passed, 1 failed'
    exit 1
  fi
  url=$address
}

# start_on_s3: a second server, in `s3_url`, whose objects are on the S3 server of test/wire, with keys that it exports
start_on_s3() {
  npm ci --prefix test/wire --no-audit --no-fund || return 1
  start s3 ready node test/wire/s3-server.mjs 0 interop || return 1
  export AWS_ACCESS_KEY_ID=testkey AWS_SECRET_ACCESS_KEY=testsecret AWS_REGION=us-east-1
  local flags=(--data "$data/on-s3" --objects s3://interop/lakes --endpoint-url "$address/cdn-cgi/local/r2/s3")
  start on-s3 'listening on' node bin/sluice.mjs serve --port 0 "${flags[@]}" || return 1
  s3_url=$address
}
