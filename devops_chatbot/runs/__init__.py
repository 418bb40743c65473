"""Durable jobs: long work that goes on where it stopped after the process was killed.

Each job is a DBOS workflow whose steps are batches of documents. What became of each document is written down in the
transaction that changes it, so repeating a step that was killed half-way does no harm.
"""

from devops_chatbot.runs.jobs import Jobs
from devops_chatbot.runs.work import Progress, Work

__all__ = ["Jobs", "Progress", "Work"]
