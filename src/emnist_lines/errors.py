"""Errors that are a person's to mend, told in one sentence instead of a traceback."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """What was wrong, where, and what to do, in one sentence."""


def run(main: Callable[[], None]) -> None:
    """Call `main`; a `UserError` is printed on standard error and ends the process with exit code 1."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
