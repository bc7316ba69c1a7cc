"""The scripts' virtual environments: made once, made again when interrupted, and never in place of a user's folder."""

import os
import subprocess

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'scripts')

# Stands for Python: it makes a folder in place of an environment, whose own Python installs nothing.
PYTHON = """#!/bin/sh
case "$*" in
    --version) echo "Python 3.11.0" ;;
    "-m venv "*)
        mkdir -p "$3/bin"
        printf '#!/bin/sh\\nexit %s\\n' "${PIP:-0}" > "$3/bin/python"
        chmod +x "$3/bin/python" ;;
esac
"""


def make_environment(folder, **environment):
    (folder / 'requirements.txt').write_text('numpy')
    python = folder / 'python'
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = f'set -e; source {SCRIPTS}/environment.sh; make_environment .venv ./python -r requirements.txt'
    return subprocess.run(
        ['bash', '-c', command], cwd=str(folder), env=dict(os.environ, **environment), text=True, capture_output=True
    )


def test_environment_is_made_once_and_again_after_an_interruption(tmp_path):
    interrupted = make_environment(tmp_path, PIP='1')
    assert interrupted.returncode != 0 and 'making' in interrupted.stdout
    assert make_environment(tmp_path).returncode == 0
    again = make_environment(tmp_path)
    assert again.returncode == 0 and again.stdout == ''


def test_environment_that_somebody_else_made_is_left_as_it_is(tmp_path):
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'notes.txt').write_text('precious')
    refused = make_environment(tmp_path)
    assert refused.returncode == 2 and refused.stderr.count('\n') == 1 and '.venv' in refused.stderr
    assert (tmp_path / '.venv' / 'notes.txt').read_text() == 'precious'
