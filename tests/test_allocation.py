"""Freed memory of the size of an image is used again, and objects made in a pause are not searched for garbage."""

import ctypes
import gc
import os
import subprocess
import sys
import weakref

import pytest

from hourglass_pose import allocation
from hourglass_pose.allocation import garbage_collection_paused

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


def test_objects_of_a_pause_are_not_searched_for_garbage_and_collection_goes_on_afterwards():
    searched = []

    def note(phase, information):
        searched.append(phase)

    assert gc.isenabled()
    gc.callbacks.append(note)
    try:
        with garbage_collection_paused(forever=True):
            kept = [[] for _ in range(100000)]
            assert not searched
        assert gc.isenabled() and gc.get_freeze_count() >= len(kept)
        more = [[] for _ in range(100000)]
        assert searched and len(more) == len(kept)
    finally:
        gc.callbacks.remove(note)
        gc.unfreeze()


def test_what_was_made_in_a_pause_and_is_garbage_later_is_collected():
    class Cycle:
        pass

    frozen = gc.get_freeze_count()
    with garbage_collection_paused():
        cycle = Cycle()
        cycle.itself = cycle
    assert gc.get_freeze_count() == frozen
    left = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert left() is None


def test_a_pause_leaves_collection_off_where_it_was_off_and_on_after_an_error():
    gc.disable()
    try:
        with garbage_collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(KeyError), garbage_collection_paused():
        raise KeyError('a mistake')
    assert gc.isenabled()
    gc.unfreeze()
