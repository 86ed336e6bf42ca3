#!/usr/bin/env bash
# No server: what the whole of streamhost is built with, a C compiler, make, and the headers of OpenSSL for librdkafka.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need cc gcc
need make make
need pkg-config pkg-config
pkg-config --exists openssl || install libssl-dev
pkg-config --exists openssl || fail "the headers of OpenSSL are not installed; install them, for example with: apt-get install libssl-dev"
