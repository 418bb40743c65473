"""Syncs the sources that knowledge bases follow again and again, as often as the settings say."""

import logging
import threading

from devops_chatbot.errors import ChatbotError
from devops_chatbot.learning import Learning
from devops_chatbot.runs import Runs
from knowledge.catalog.catalog import Catalog

_log = logging.getLogger(__name__)


class Resync:
    """A thread that starts one run a followed source every `every_s` seconds; none when `every_s` is 0.

    A knowledge base whose last run has not ended is left out until the next round, and so is a source that the settings
    no longer permit or that is not there: what it held stays, and the log says why.
    """

    def __init__(self, catalog: Catalog, runs: Runs, learning: Learning, *, every_s: float) -> None:
        self._catalog = catalog
        self._runs = runs
        self._learning = learning
        self._every_s = every_s
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._every_s > 0:
            self._thread = threading.Thread(target=self._run, name="resync", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()

    def sync_all(self) -> int:
        """Start a run for every followed source that is due; returns how many."""
        started = 0
        for knowledge_base in self._catalog.list():
            newest = next(iter(self._runs.list(knowledge_base.id)), None)
            if newest is not None and not newest.ended:
                continue
            for source in self._catalog.sources(knowledge_base.id):
                try:
                    self._learning.sync(knowledge_base.id, source.id)
                    started += 1
                except ChatbotError as error:
                    _log.warning("%s is not synced: %s", source.location, error)
        return started

    def _run(self) -> None:
        while not self._leaving.wait(self._every_s):
            try:
                self.sync_all()
            except ChatbotError as error:
                _log.warning("the sources are not synced: %s", error)
