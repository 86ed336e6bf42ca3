#!/usr/bin/env bash
# PostgreSQL while standard input is open, on port PGPORT, by default 5432, of 127.0.0.1: the user streamhost with the password
# streamhost owns a database of the same name.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${PGPORT:-5432}"

find_bin() {
  local bin found=
  for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do
    if [ -x "$bin/initdb" ]; then found="$bin"; fi
  done
  echo "$found"
}
if [ -z "$(find_bin)" ]; then install postgresql; fi
bin="$(find_bin)"
[ -x "$bin/initdb" ] || fail "PostgreSQL is not installed; install it, for example with: apt-get install postgresql"

choose_data
home="$data"
as=()
if [ "$(id -u)" = 0 ]; then
  # PostgreSQL does not run as root, and its own user does not get into root's home.
  as=(setpriv --reuid postgres --regid postgres --clear-groups)
  if [ -z "${STREAMHOST_SERVICE_DATA:-}" ]; then
    rm -rf "$data"
    data="$(mktemp -d /var/tmp/streamhost-postgres.XXXXXX)"
    home="$data"
  fi
  chown postgres "$data"
fi

if [ ! -e "$home/db/made" ]; then
  rm -rf "$home/db"
  (umask 022 && echo streamhost >"$data/password")
  "${as[@]}" "$bin/initdb" -D "$home/db" -U streamhost -A scram-sha-256 --pwfile="$data/password" -E UTF8 --locale=C \
    >>"$data/log" 2>&1 || gave_up "initdb failed"
  "${as[@]}" touch "$home/db/made"
fi
touch "$data/log"
export PGPASSWORD=streamhost PGCONNECT_TIMEOUT=2
psql() { "$bin/psql" -X -q -h 127.0.0.1 -p "$port" -U streamhost -d "$1" -c "$2"; }
answers() {
  psql streamhost "SELECT 1" || { psql postgres "CREATE DATABASE streamhost" && psql streamhost "SELECT 1"; }
}
cd /
serve answers "${as[@]}" "$bin/postgres" -D "$home/db" -p "$port" -c listen_addresses=127.0.0.1 \
  -c unix_socket_directories="$home/db" -c max_connections=200 -c timezone=UTC ${PGSETTINGS:-}
