"""The process's memory: freed blocks that are kept for the next image, and a pause of the garbage collection."""

import ctypes
import gc
from contextlib import contextmanager
from typing import Iterator

# Parameters of glibc's mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


# Bytes of the largest block, and of all freed ones at the end of a heap, that are kept.
_LARGEST, _KEPT = 32 * 2**20, 128 * 2**20


def keep_freed_memory() -> None:
    """Let freed blocks of up to 32 MiB be used again, instead of returning each to the kernel.

    The kernel clears memory that it gives out, page by page, which takes as long as decoding a photo. glibc moves both
    limits by itself, but only to those of blocks that were freed before, and no further than these. Nothing happens
    with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _KEPT)


@contextmanager
def garbage_collection_paused(forever: bool = False) -> Iterator[None]:
    """Make many objects without searching them for garbage meanwhile.

    Python otherwise searches all objects again whenever their number has grown by a quarter.

    forever: they stay until the process ends, such as modules, and are not searched later either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if forever:
            gc.freeze()
        if was_on:
            gc.enable()
