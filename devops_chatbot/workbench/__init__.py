"""What a conversation works with besides words: its sandbox session, the runs of its code, its attached files."""

from devops_chatbot.workbench.attachments import Attachment, AttachmentLimits, Attachments
from devops_chatbot.workbench.bench import Order, Workbench
from devops_chatbot.workbench.coderuns import CodeRun, CodeRuns, RunArtifact, RunLimits
from devops_chatbot.workbench.export import write_archive

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
