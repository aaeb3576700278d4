"""How the C library's allocator treats large activations."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory for the next allocation instead of giving it back to the system.

    By default glibc maps each large tensor anew, and the system clears all its pages at first use: a tenth of a
    training step and more. Peak memory stays. Where the C library has no `mallopt`, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
