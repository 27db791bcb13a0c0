# Shared by script/setup and script/lib/lock: find uv and Python, or bring them into this folder.
# Sourced, with the repository's root as working directory.

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# `timeout` is missing on macOS, where the limit only saves patience.
limited() {
  local seconds=$1
  shift
  if command -v timeout >/dev/null; then timeout "$seconds" "$@"; else "$@"; fi
}

# uv brings its own list of certificate authorities; behind an inspecting proxy only the machine's own list is right.
if [[ -z ${SSL_CERT_FILE-} && -f /etc/ssl/certs/ca-certificates.crt ]]; then
  export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi

# Put a working uv on PATH.
ensure_uv() {
  # A shim of pyenv or asdf may be on PATH and yet not run, hence the call.
  if uv --version >/dev/null 2>&1; then return; fi
  local home=$PWD/.cache/uv
  export PATH="$home/bin:$PATH"
  if uv --version >/dev/null 2>&1; then return; fi
  command -v python3 >/dev/null || die "needs uv, or a python3 with venv or pip to get it with"
  say "no uv on this machine: installing it into .cache/uv"
  rm -rf "$home"
  local pip=(-m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements/uv.txt)
  if python3 -m venv "$home" >/dev/null 2>&1; then
    "$home/bin/python3" "${pip[@]}"
  else
    # Debian splits ensurepip off; pip alone can still install into a folder.
    rm -rf "$home"
    python3 "${pip[@]}" --target "$home" ||
      die "could not install uv: install python3-venv or uv itself, then run script/setup again"
  fi
  uv --version >/dev/null || die "uv was installed into .cache/uv but does not run"
}

# Home Assistant's floor is 3.14.2; its pinned packages have no wheels for 3.15 yet.
usable_python() {
  "$1" -c '
import sqlite3, ssl, sys
sys.exit(not (3, 14, 2) <= sys.version_info[:3] < (3, 15))' 2>/dev/null
}

find_python() {
  python=$(uv python find --system --no-python-downloads '>=3.14.2,<3.15' 2>/dev/null) && usable_python "$python"
}

# Set $python to an interpreter that Home Assistant accepts.
ensure_python() {
  ensure_uv
  python=$PWD/.python/debian/usr/bin/python3.14
  if usable_python "$python"; then return; fi
  if find_python; then return; fi

  local debian=false seconds=600
  if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then debian=true seconds=60; fi
  say "no Python 3.14.2 or newer on this machine: asking uv for one (at most $seconds s)"
  export UV_PYTHON_INSTALL_DIR=$PWD/.python/uv
  if limited "$seconds" uv python install --quiet --no-bin 3.14 2>/dev/null && find_python; then return; fi

  $debian || die "uv could not bring a Python: install 3.14.2 or newer, then run script/setup again"
  say "uv could not: unpacking Debian's Python into .python/debian (about 30 MB)"
  python=$(script/python-from-debian "$PWD/.python/debian") || die "neither uv nor Debian's archive gave a Python 3.14"
  usable_python "$python" || die "$python is older than 3.14.2"
}
