"""Durable runs: long work of any kind that goes on where it stopped after the process was killed.

Each run is a DBOS workflow of steps; DBOS keeps which of them are done, tries again what was unavailable, and cancels.
How far a run is and how it ended stands in its row.
"""

from devops_chatbot.runs.handler import ActiveRun, Cancelled, RunHandler
from devops_chatbot.runs.runs import Runs

__all__ = ["ActiveRun", "Cancelled", "RunHandler", "Runs"]
