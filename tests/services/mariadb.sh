#!/usr/bin/env bash
# MariaDB while standard input is open, on port MYSQL_PORT, by default 3306, of 127.0.0.1: the user streamhost with the password
# streamhost may do everything in a database of the same name.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${MYSQL_PORT:-3306}"
need mariadb-install-db mariadb-server-core
need mariadb mariadb-client-core

choose_data
if [ ! -e "$data/made" ]; then
  rm -rf "$data/db"
  mariadb-install-db --no-defaults --datadir="$data/db" --skip-test-db --auth-root-authentication-method=normal \
    >>"$data/log" 2>&1 || gave_up "mariadb-install-db failed"
  touch "$data/made"
fi
touch "$data/log"
client() { mariadb --no-defaults -S "$data/socket" -u root -e "$1"; }
answers() {
  client "CREATE DATABASE IF NOT EXISTS streamhost; CREATE USER IF NOT EXISTS streamhost@'127.0.0.1' IDENTIFIED BY 'streamhost';
    GRANT ALL ON streamhost.* TO streamhost@'127.0.0.1'"
}
root=()
if [ "$(id -u)" = 0 ]; then root=(--user=root); fi
serve answers mariadbd --no-defaults "${root[@]}" --datadir="$data/db" --bind-address=127.0.0.1 --port="$port" --socket="$data/socket" \
  --pid-file="$data/pid" --skip-name-resolve --innodb-buffer-pool-size=64M
