#!/bin/sh
# Compiles the kernels to the extension module that componentize-py links into a component.
# Needs clang and lld 19: apt-get install clang-19 lld-19
set -eu
cd "$(dirname "$0")"
clang=${CLANG:-clang-19}
out=${1:-../streamhost/_streamhost_kernels.cpython-314-wasm32-wasi.so}
if ! command -v "$clang" > /dev/null; then
    echo "there is no $clang: apt-get install clang-19 lld-19" >&2
    exit 3
fi
# Everything that it calls is Python's or the C library's, which are in the component: nothing is linked here.
exec "$clang" --target=wasm32-wasi -std=c17 -O2 -msimd128 -fPIC -ffreestanding -nostdlib -fvisibility=hidden -fno-strict-aliasing \
    -Wall -Wextra -Wno-unused-parameter -Wno-macro-redefined -shared \
    -Wl,--experimental-pic -Wl,--no-entry -Wl,--allow-undefined -Wl,--strip-all \
    arith.c bits.c call.c fixed.c handed.c hash.c lists.c module.c text.c -o "$out"
