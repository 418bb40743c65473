"""The graph on a disk that is full. In processes of their own: the engine aborts, or hangs, where it is not guarded."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from contracts.graph_contract import ALERT, COLLECTION, HERE, SCHEMA, graph, stored
from full_disk import BALLAST, fill, mounted
from patience import PATIENCE_S

from devops_chatbot.errors import StoreUnavailable
from knowledge.stores.graph.ladybug import LadybugGraph

FIRST, LAST, AFTER_THAT = 1, 500, 501


def filled(folder: Path) -> tuple[LadybugGraph, set[tuple[str, str]]]:
    """A store that could not write, and what it had taken before."""
    store = LadybugGraph(folder, schema=SCHEMA, buffer_mb=32)
    store.replace([graph(FIRST, ALERT)])
    fill(folder)
    number = FIRST

    def write() -> None:
        nonlocal number
        while number < LAST:
            store.replace([graph(number + 1, ALERT)])
            number += 1

    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="disk is full"):
            write()
    taken = {stored(each) for each in range(FIRST, number + 1)}
    assert store.versions(COLLECTION) == taken
    assert store.find(ALERT, scope=HERE)
    return store, taken


def goes_on(store: LadybugGraph, folder: Path, taken: set[tuple[str, str]]) -> None:
    """With room again it takes the next one, and has it after a power cut too."""
    (folder / BALLAST).unlink()
    store.replace([graph(LAST, ALERT)])
    assert store.versions(COLLECTION) == {*taken, stored(LAST)}
    os._exit(0)


def in_the_same_process(folder: Path) -> None:
    store, taken = filled(folder)
    goes_on(store, folder, taken)


def closed_while_full(folder: Path) -> None:
    store, taken = filled(folder)
    store.close()
    goes_on(LadybugGraph(folder, schema=SCHEMA, buffer_mb=32), folder, taken)


def killed_while_full(folder: Path) -> None:
    filled(folder)
    os._exit(0)


def after_that(folder: Path) -> None:
    (folder / BALLAST).unlink(missing_ok=True)
    store = LadybugGraph(folder, schema=SCHEMA, buffer_mb=32)
    before = store.versions(COLLECTION)
    assert stored(FIRST) in before
    store.replace([graph(AFTER_THAT, ALERT)])
    store.close()
    assert store.versions(COLLECTION) == {*before, stored(AFTER_THAT)}
    store.close()


@pytest.mark.parametrize("scene", [in_the_same_process, closed_while_full, killed_while_full])
def test_it_says_so_keeps_what_it_has_and_goes_on_when_there_is_room(
    tmp_path: Path, scene: Callable[[Path], None]
) -> None:
    with mounted(tmp_path / "disk", megabytes=32) as disk:
        for act in (scene, after_that):
            process = multiprocessing.get_context("spawn").Process(target=act, args=(disk,))
            process.start()
            process.join(PATIENCE_S)
            process.kill()
            assert process.exitcode == 0, act.__name__
