"""Has Python look for garbage cycles seldom, and not among what was loaded at the start.

By default it looks after every 700 new objects, which is often while 100 questions are answered: 0.45 to 0.7 s of the
processor's time for them together, and each search through all objects holds up every stream for 0.3 s. What is in no cycle,
nearly everything, is freed at once either way.
"""

import gc

NEW_OBJECTS = 10_000
"""New objects from which the youngest are searched; 20 such searches make one of the older ones."""


def look_seldom() -> None:
    """Call it before anything is imported that the server needs."""
    gc.set_threshold(NEW_OBJECTS, 20, 20)


def leave_out_what_is_loaded() -> None:
    """Call it once the server is ready: what is there now stays until the end."""
    gc.freeze()
