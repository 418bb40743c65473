"""Plain conversation: nothing is looked up."""

from collections.abc import AsyncIterator

from devops_chatbot.chat import Evidence, Progress, Task


class TalkAgent:
    """Leaves the answer to the model and the conversation alone."""

    name = "chat"
    purpose = "Answers from the conversation and general knowledge."

    async def gather(self, task: Task) -> AsyncIterator[Evidence | Progress]:  # noqa: ARG002 the protocol's signature
        """Finds nothing, and says nothing."""
        return
        yield
