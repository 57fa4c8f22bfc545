# To be sourced: starts `tombolo up` and waits until it serves.

# served TOMBOLO ARGUMENTS... : `address` is then where it listens, `server` its process. It ends with
# the script, which calls itself $0.
served() {
  local said
  said=$(mktemp)
  trap 'kill "${server:-}" 2>/dev/null || true; rm -f "'"$said"'"' EXIT
  "$1" up "${@:2}" --listen "127.0.0.1:${PORT:-$([ -n "${ONCE:-}" ] && echo 0 || echo 3000)}" 2> >(tee "$said" >&2) &
  server=$!
  for _ in $(seq 1 1800); do
    address=$(sed -n 's/^Listening on //p' "$said")
    [ -n "$address" ] && return
    kill -0 "$server" 2>/dev/null || { echo "${0##*/}: the server ended" >&2; exit 1; }
    sleep 0.1
  done
  echo "${0##*/}: the server did not start" >&2
  exit 1
}

# Serves on until Ctrl-C; with ONCE=1 it ends here.
serve_on() {
  if [ -n "${ONCE:-}" ]; then
    kill -TERM "$server"
    wait "$server"
    server=
    return
  fi
  trap 'kill -TERM "$server" 2>/dev/null || true' INT
  wait "$server" || true
}
