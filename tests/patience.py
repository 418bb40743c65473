"""How long tests wait for what has to come: a limit for what never comes, not a measure of the machine's speed."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE_S = 120 * float(os.environ.get("TEST_PATIENCE", "1"))
"""Far more than anything takes on a machine slowed four times; `TEST_PATIENCE=3` waits three times as long."""


def wait_until(true: Callable[[], Found]) -> Found:
    """What `true` returns, as soon as that is something; fails when it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s; at last: {found!r}"
        time.sleep(0.02)
    return found
