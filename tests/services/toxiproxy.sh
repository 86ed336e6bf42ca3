#!/usr/bin/env bash
# Toxiproxy while standard input is open: an HTTP API on port TOXIPROXY_PORT, by default 8474, makes connections that it cuts and slows.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${TOXIPROXY_PORT:-8474}"
version=v2.5.0

build() {
  need go golang-go
  GOBIN="$1" go install "github.com/Shopify/toxiproxy/v2/cmd/server@$version"
}

bin="$(once "toxiproxy-$version" build)"
choose_data
answers() { listens "$port"; }
serve answers "$bin/server" -host 127.0.0.1 -port "$port"
