"""A short document is read whole when it is the first one found; a long one is not."""

from devops_chatbot.chat import Answer, Evidence
from devops_chatbot.client.client import Client
from devops_chatbot.schemas.threads import NewMessage

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation", "History")
WORDS = "the queue of the broker grows because consumers are slower than producers and nobody has noticed it yet "


def page(length: int) -> str:
    """A runbook whose sections have about `length` characters each and a word of their own."""
    body = "\n\n".join(f"## {name}\n\nThe {name.lower()}word. {WORDS * (length // len(WORDS))}" for name in SECTIONS)
    return f"# QueueGrows\n\n{body}\n"


def asked(client: Client, text: str) -> tuple[list[Evidence], Answer]:
    client.create_knowledge_base("Runbooks")
    list(client.run_events(client.upload("Runbooks", [("queue.md", text.encode())]).id))
    thread = client.create_thread().id
    events = list(client.ask(thread, NewMessage(text="QueueGrows is firing, what do I do?", limit=1)))
    answer = events[-1]
    assert isinstance(answer, Answer)
    return [event for event in events if isinstance(event, Evidence)], answer


def test_what_stands_beside_the_first_hit_belongs_to_the_evidence(client: Client) -> None:
    evidence, answer = asked(client, page(900))
    assert all(any(f"{name.lower()}word" in each.context for each in evidence) for name in SECTIONS)
    assert len({each.ref for each in evidence}) == len(evidence)
    assert answer.text.index("diagnosisword") < answer.text.index("mitigationword")
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert {citation.ref for citation in answer.citations} <= {each.ref for each in evidence}


def test_of_a_long_document_only_the_hits_are_taken(client: Client) -> None:
    evidence, _ = asked(client, page(4000))
    assert len(evidence) == 1
