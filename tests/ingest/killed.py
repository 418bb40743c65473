"""What the processes do that `test_kill.py` kills."""

import json
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

from ingest.library import Library, Working


def sync(data: Path, docs: Path, started: Event, *, runs_wanted: int, result: Path | None = None) -> None:
    """Go on with what a killed process left, follow `docs` if that was not asked for yet, and write down the end."""
    library = Library(data, real=True)
    library.embedder.pause_s = 0.01
    working = Working(library)
    runs, learning = working.runs, working.learning
    (base,) = library.catalog.list() or (library.catalog.create("Runbooks", embedding="hashed"),)
    started.set()
    learning.resume()
    if len(runs.list()) < runs_wanted:
        learning.follow(base.id, str(docs))
    (last, *_) = runs.list()
    last = working.ended(last)
    if result is not None:
        contents = library.stores.contents(base.id)
        result.write_text(
            json.dumps(
                {
                    "run": [last.state, dict(last.progress.counts)],
                    "errors": [[error.what, str(error.reason)] for error in last.progress.errors],
                    "check": library.ingest.check(base.id),
                    "vectors": sorted(contents.vectors),
                    "lexical": sorted(contents.lexical),
                    "graph": sorted(map(list, contents.graph)),
                    "texts": library.texts(base.id),
                    "states": {uri: each.state for uri, each in library.documents(base.id).items()},
                    "originals": library.originals_kept(),
                },
                indent=1,
            )
        )
    os._exit(0)  # closing takes longer than all the rest


def step(data: Path, staged: Path, point: str, result: Path) -> None:
    """Take an upload in without a run around it, and die at `point` (`vectors.add before`, …) when there is one."""
    library = Library(data, real=True)
    library.ingest.repair()
    base = library.catalog.get("Runbooks").id
    if point:
        place, when = point.split()
        store, method = place.split(".")
        _die_at(getattr(library.stores, store), method, after=when == "after")
    else:
        assert library.ingest.check(base) == []
    if library.ingest.progress("run").total == 0:
        library.ingest.plan("run", base, kind="upload", argument=str(staged))
    while library.ingest.step("run", base):
        pass
    result.write_text(
        json.dumps(
            [
                library.outcomes("run"),
                library.ingest.check(base),
                sorted(library.stores.contents(base).vectors),
                library.texts(base),
                library.originals_kept(),
            ]
        )
    )
    os._exit(0)


def _die_at(store: object, method: str, *, after: bool) -> None:
    real = getattr(store, method)

    def dying(*given: object) -> None:
        if after:
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(store, method, dying)
