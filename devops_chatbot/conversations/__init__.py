"""What a conversation works with besides words: its sandbox session, the runs of its code, its attached files."""

from devops_chatbot.conversations.attachments import AttachmentLimits, Attachments
from devops_chatbot.conversations.code_runs import CodeRuns, RunLimits
from devops_chatbot.conversations.code_sessions import Workbench
from devops_chatbot.conversations.export import write_archive

__all__ = [
    "AttachmentLimits",
    "Attachments",
    "CodeRuns",
    "RunLimits",
    "Workbench",
    "write_archive",
]
