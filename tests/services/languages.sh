#!/usr/bin/env bash
# No server: what builds plugins in Go, JavaScript, Python and C. `streamhost doctor` says the same of a machine.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang-19 clang-19
need wasm-ld-19 lld-19
need llvm-ar-19 llvm-19
need cmake cmake
need make make
[ -e /usr/include/wasm32-wasi/stdio.h ] || install wasi-libc
[ -e /usr/include/wasm32-wasi/stdio.h ] || fail "wasi-libc is not installed; install it, for example with: apt-get install wasi-libc"
runtime=/usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a
[ -e "$runtime" ] || install libclang-rt-19-dev-wasm32
[ -e "$runtime" ] || fail "libclang-rt-19-dev-wasm32 is not installed; install it, for example with: apt-get install libclang-rt-19-dev-wasm32"
need go golang
need node nodejs
need npm npm
need python3 python3
python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv
python3 -c 'import ensurepip, venv' 2>/dev/null || fail "python3-venv is not installed; install it, for example with: apt-get install python3-venv"
