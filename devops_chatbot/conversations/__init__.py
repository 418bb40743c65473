"""What a conversation works with besides words: its sandbox session, the runs of its code, its attached files."""

from devops_chatbot.conversations.attachments import Attachment, AttachmentLimits, Attachments
from devops_chatbot.conversations.code_runs import CodeRun, CodeRuns, RunArtifact, RunLimits
from devops_chatbot.conversations.code_sessions import Order, Workbench
from devops_chatbot.conversations.export import write_archive

__all__ = [
    "Attachment",
    "AttachmentLimits",
    "Attachments",
    "CodeRun",
    "CodeRuns",
    "Order",
    "RunArtifact",
    "RunLimits",
    "Workbench",
    "write_archive",
]
