# Sourced by the suites here: environments of Python packages, and a server of their own. Sets `here`, `data`, and after
# start_server `url`. The server is ended by its pid, the temporary directory goes.
readonly here=test/interop
readonly data=$(mktemp -d)
server=

finish() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
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

# start_server: waits until it listens, at most 30 s
start_server() {
  node bin/sluice.mjs serve --port 0 --data "$data/sluice" >"$data/server.log" 2>&1 &
  server=$!
  for _ in {1..150}; do
    url=$(sed -n 's/^listening on //p' "$data/server.log" 2>/dev/null || true)
    [[ -z $url ]] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.2
  done
  cat "$data/server.log"
  echo 'the server did not start'
  echo '0 passed, 1 failed'
  exit 1
}
