"""What the processes do that `test_kill.py` kills."""

import json
import os
from multiprocessing.synchronize import Event
from pathlib import Path

from ingest.library import Library

from devops_chatbot.runs import Jobs


def sync(data: Path, docs: Path, started: Event, *, jobs_wanted: int, result: Path | None = None) -> None:
    """Go on with what a killed process left, follow `docs` if that was not asked for yet, and write down the end."""
    library = Library(data, real=True)
    library.embedder.pause_s = 0.01
    jobs = Jobs(library.engine, library.ingest, folder=data / "jobs")
    (base,) = library.catalogue.list() or (library.catalogue.create("Runbooks", embedding="hashed"),)
    started.set()
    jobs.resume()
    if len(jobs.list()) < jobs_wanted:
        jobs.ingest_folder(base.id, docs)
    (last, *_) = jobs.list()
    last = jobs.wait(last.id, timeout_s=60)
    if result is not None:
        contents = library.stores.contents(base.id)
        result.write_text(
            json.dumps(
                {
                    "job": [last.state, last.added, last.changed, last.unchanged, last.removed, last.failed],
                    "errors": [[error.source_uri, error.reason] for error in last.errors],
                    "check": library.ingest.check(base.id),
                    "vectors": sorted(contents.vectors),
                    "words": sorted(contents.words),
                    "graph": sorted(map(list, contents.graph)),
                    "texts": library.texts(base.id),
                    "states": {uri: each.state for uri, each in library.documents(base.id).items()},
                    "originals": library.originals_kept(),
                },
                indent=1,
            )
        )
    os._exit(0)  # closing takes longer than all the rest
