"""Imports of the report: neither Matplotlib nor SciPy before a plot is rendered or a file is read."""

import subprocess
import sys

import pytest
from conftest import CODE

SLOW = ('matplotlib', 'scipy', 'h5py', 'jinja2', 'pycocotools')


@pytest.mark.parametrize('module', ['report.drawing', 'report.results', 'scoring.score_files', 'scoring.coco'])
def test_slow_libraries_are_loaded_when_they_are_used(module):
    program = f'import sys, hourglass_pose.{module}; print([name for name in {SLOW} if name in sys.modules])'
    ended = subprocess.run([sys.executable, '-c', program], cwd=CODE, capture_output=True, check=True)
    assert ended.stdout.decode().strip() == '[]'
