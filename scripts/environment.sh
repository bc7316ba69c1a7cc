# shellcheck shell=bash
# Finds a Python and makes virtual environments; sourced by the other scripts.

# find_python VERSION... : prints the first Python of one of these versions (such as 3.11), in their order.
find_python() {
    local version candidate pyenv_version
    for version in "$@"; do
        for candidate in "${PYTHON:-}" "python$version" python3 python; do
            if [ -n "$candidate" ] && is_python "$candidate" "$version"; then
                command -v "$candidate"
                return 0
            fi
        done
        if command -v pyenv > /dev/null; then
            pyenv_version=$(pyenv versions --bare | grep "^$version\." | tail -n 1)
            candidate="$(pyenv root)/versions/$pyenv_version/bin/python"
            if [ -n "$pyenv_version" ] && is_python "$candidate" "$version"; then
                echo "$candidate"
                return 0
            fi
        fi
    done
    echo "error: no Python $* found; install one, or name it by PYTHON=/path/to/python" >&2
    return 2
}

is_python() {
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)" = "$2" ]
}

# make_environment FOLDER PYTHON REQUIREMENT... : makes a virtual environment and installs into it. A stamp records what
# is in it, so that a second call with the same requirements does nothing and an interrupted one starts over. A folder
# without the stamp was made by somebody else, and is left as it is.
make_environment() {
    local folder=$1 python=$2
    shift 2
    local wanted
    wanted="$python $* $(cksum < requirements.txt)"
    if [ "$(cat "$folder/.installed" 2> /dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ -e "$folder" ] && [ ! -e "$folder/.installed" ]; then
        echo "error: $PWD/$folder is there already and was not made by this script; rename or remove it, then try again" >&2
        return 2
    fi
    echo "making the environment $folder with $("$python" --version 2>&1)"
    rm -rf "$folder"
    mkdir -p "$folder"
    echo 'not finished' > "$folder/.installed"
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    echo "$wanted" > "$folder/.installed"
}
