#!/usr/bin/env bash
# versitygw, an S3 server, while standard input is open: on port S3_PORT, by default 9900, with the bucket `test`, for the key
# `streamhost` with the secret `streamhost-secret`. Objects are files in a folder.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
port="${S3_PORT:-9900}"
version=v1.8.0

build() {
  need go golang-go
  GOBIN="$1" go install "github.com/versity/versitygw/cmd/versitygw@$version"
}

need curl curl
bin="$(once "versitygw-$version" build)"
choose_data
mkdir -p "$data/objects/test"
answers() { curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$port/healthy"; }
export ROOT_ACCESS_KEY=streamhost ROOT_SECRET_KEY=streamhost-secret
serve answers "$bin/versitygw" --port "127.0.0.1:$port" --region us-east-1 --health /healthy --quiet posix "$data/objects"
