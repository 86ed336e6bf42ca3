#!/usr/bin/env bash
# Prints the path of a Python that has the package `deltalake`, as other programs read and write Delta tables with it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
  need python3 python3-venv
  python3 -m venv "$1"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
}

venv="$(once python-deltalake-1.6.6 install)"
echo "$venv/bin/python"
