# shellcheck shell=bash
# Sourced by scripts that start the launcher. find_python CANDIDATE...: prints the first Python of version 3.7 or newer
# among PYTHON, that of an active environment, and the candidates. It ends the script with 2 if there is none.

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}" \
            "${CONDA_PREFIX:+$CONDA_PREFIX/bin/python}" "$@"; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2> /dev/null; then
            echo "$candidate"
            return
        fi
        if [ -n "$candidate" ] && [ "$candidate" = "${PYTHON:-}" ]; then
            echo "error: PYTHON=$candidate: expected a Python of version 3.7 or newer" >&2
            exit 2
        fi
    done
    echo "error: no Python of version 3.7 or newer found; install one, or name it by PYTHON=/path/to/python" >&2
    exit 2
}
