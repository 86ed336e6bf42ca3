# shellcheck shell=bash
# What the scripts beside this one share; each sources it and calls `serve`.
set -euo pipefail

cache="${STREAMHOST_SERVICES_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/streamhost/services}"
# Where the server of this run keeps its data.
data=""

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# install PACKAGE: from the system's packages, if this user may install them.
install() {
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    mkdir -p "$cache"
    (
      flock 9
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
    ) 9>"$cache/apt.lock" >&2 || true
  fi
}

# need COMMAND PACKAGE: sees to it that COMMAND is there, or ends with how to install it.
need() {
  command -v "$1" >/dev/null || install "$2"
  command -v "$1" >/dev/null || fail "$1 is not installed; install it, for example with: apt-get install $2"
}

# once NAME FUNCTION: prints the folder $cache/NAME, filled by `FUNCTION folder` unless that was done before. Two runs at a time
# do it once, and what was interrupted is begun anew.
once() {
  local folder="$cache/$1"
  mkdir -p "$cache"
  (
    flock 9
    if [ ! -d "$folder" ]; then
      rm -rf "$folder.part"
      mkdir "$folder.part"
      "$2" "$folder.part" >&2
      mv "$folder.part" "$folder"
    fi
  ) 9>"$cache/$1.lock"
  echo "$folder"
}

# choose_data: sets `data` to the folder that the caller wants, or to one that goes with the server.
choose_data() {
  if [ -n "${STREAMHOST_SERVICE_DATA:-}" ]; then
    data="$STREAMHOST_SERVICE_DATA"
    mkdir -p "$data"
    return
  fi
  local old
  for old in "$cache"/run.*; do
    # Left by a script that could not clean up after itself.
    if [ -d "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null; then rm -rf "$old"; fi
  done
  data="$cache/run.$$"
  mkdir -p "$data"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# serve READY COMMAND...: runs COMMAND until standard input ends. Says `ready`, and where the data are, once READY succeeds. The file
# `pid` there has its process.
serve() {
  local ready="$1"
  shift
  # The server must not outlive this script either, however that ends.
  setpriv --pdeathsig KILL "$@" >>"$data/log" 2>&1 </dev/null &
  server=$!
  echo "$server" >"$data/pid"
  trap end_server EXIT
  trap 'exit 0' INT TERM HUP
  until "$ready" >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || gave_up "the server ended while it started"
    ((SECONDS < ${STREAMHOST_SERVICE_WAIT:-180})) || gave_up "the server is not ready after $SECONDS s"
    sleep 0.1
  done
  echo "ready $data"
  local status
  while kill -0 "$server" 2>/dev/null; do
    status=0
    read -r -t 1 _ || status=$?
    # Above 128: nothing was written for a second. Else: the end of the input.
    if ((status != 0 && status <= 128)); then return; fi
  done
}

gave_up() {
  tail -n 40 "$data/log" >&2
  fail "$1"
}

# Data that nobody wants to see again need no orderly end.
end_server() {
  trap - EXIT
  if [ -n "${STREAMHOST_SERVICE_DATA:-}" ]; then
    kill -TERM "$server" 2>/dev/null || true
    local i
    for ((i = 0; i < 200; i++)); do
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
  fi
  kill -KILL "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  if [ -z "${STREAMHOST_SERVICE_DATA:-}" ]; then rm -rf "$data"; fi
}
