"""The language models by name, what each is for, and the built-in model that answers with extracts."""

from devops_chatbot.llm.assignments import RoleAssignments
from devops_chatbot.llm.models import ModelInfo, Models, ModelTest
from devops_chatbot.llm.named import NamedModel

__all__ = ["ModelInfo", "ModelTest", "Models", "NamedModel", "RoleAssignments"]
