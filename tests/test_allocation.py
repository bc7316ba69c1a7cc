"""The allocator: memory of the size of an image that is freed is used again."""

import ctypes
import os
import subprocess
import sys

import pytest

from hourglass_pose import allocation

_PROGRAM = """
import resource
import numpy as np
from hourglass_pose.allocation import keep_freed_memory
keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(3000000, np.uint8)
before = faults()
for _ in range(50):
    np.ones(3000000, np.uint8)
print(faults() - before)
"""


def has_mallopt():
    return hasattr(ctypes.CDLL(None), 'mallopt')


@pytest.mark.skipif(not has_mallopt(), reason='another C library')
def test_freed_memory_is_not_returned_to_the_kernel():
    # 50 arrays of 3 MB have 36,600 pages of 4 KB.
    code = os.path.dirname(os.path.dirname(allocation.__file__))
    found = subprocess.check_output([sys.executable, '-c', _PROGRAM], env=dict(os.environ, PYTHONPATH=code))
    assert int(found) < 3000


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, 'CDLL', lambda name: object())
    allocation.keep_freed_memory()
