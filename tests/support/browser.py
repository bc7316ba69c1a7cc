"""A real browser for tests of pages: Chromium without a window, used where it is installed."""

import shutil
import subprocess

import pytest

_NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')

_FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--hide-scrollbars',
)


def find_browser():
    """Return the browser's program; skip the test where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip('no browser is installed; Debian and Ubuntu: apt-get install chromium')
    return found


def run_browser(profile, path, *flags):
    """Open a file and return (what the browser prints, what it complains of). profile: a new empty folder."""
    ended = subprocess.run(
        [find_browser(), '--enable-logging=stderr', f'--user-data-dir={profile}']
        + list(_FLAGS)
        + list(flags)
        + [f'file://{path}'],
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr.decode('utf-8', 'replace')
    return ended.stdout.decode('utf-8'), ended.stderr.decode('utf-8', 'replace')
