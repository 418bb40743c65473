"""The language models by name, what each is for, and the built-in model that answers with extracts."""

from devops_chatbot.llm.assignments import RoleAssignments
from devops_chatbot.llm.models import Models
from devops_chatbot.llm.named import NamedModel

__all__ = ["Models", "NamedModel", "RoleAssignments"]
