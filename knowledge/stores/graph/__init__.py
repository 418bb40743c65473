"""Documents, sections, chunks and what they name, with their relations."""

from knowledge.stores.graph.ladybug import LadybugGraph

__all__ = ["LadybugGraph"]
