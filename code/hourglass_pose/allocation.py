"""The process's memory allocator: keeps the memory of images for the next image."""

import ctypes

# Parameters of glibc's mallopt, from malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory(largest: int = 32 * 2**20, kept: int = 128 * 2**20) -> None:
    """Let freed blocks of up to `largest` bytes be used again, instead of returning each to the kernel.

    The kernel clears memory that it gives out, page by page, which takes as long as decoding a photo. glibc moves both
    limits by itself, but only to those of blocks that were freed before, and no further than these. `kept`: free bytes
    at the end of a heap that are not returned. Nothing happens with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, largest)
    mallopt(_TRIM_THRESHOLD, kept)
