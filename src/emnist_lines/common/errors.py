"""Errors that are a person's to mend, told in one sentence instead of a traceback."""

import errno
import os
import re
import sys
from collections.abc import Callable
from typing import NoReturn

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
    """What was wrong, where, and what to do, in one sentence."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; a `UserError`, or a disk without room, is told on standard error and ends with exit code 1."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        if not _no_room(error):
            raise
        print("error: the disk is full, or a quota is; make room and run this again", file=sys.stderr)
        _leave()


def _leave() -> NoReturn:
    """End at once: at a usual exit libhdf5 crashes over what it could not write."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _no_room(error: BaseException) -> bool:
    """Whether a write failed for want of room; HDF5 and safetensors tell that in words alone."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return any(int(number) in NO_ROOM for number in re.findall(r"(?:errno =|os error) (\d+)", str(error)))
