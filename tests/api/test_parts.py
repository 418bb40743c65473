"""Several things asked at once: what the parts are, and that each is searched for and answered."""

import pytest

from devops_chatbot.chat import Answer
from devops_chatbot.client.client import Client
from devops_chatbot.routing.parts import parts
from devops_chatbot.schemas.threads import NewMessage

REPLACING = (
    b"# Replacing a disk of an array\n\nMark the disk as failed with `mdadm --fail`, pull it, and add the new one.\n"
)
RUNBOOK = (
    b"# NodeRAIDDegraded\n\n## Severity\n\nThe array has lost a disk: the next failure loses data, so it is critical.\n\n"
    b"## Prevention\n\nReplace disks whose SMART counters grow before they fail.\n"
)
LUNCH = b"# Lunch\n\nThe canteen opens at noon and serves soup.\n"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "How severe is NodeRAIDDegraded, how do I replace the disk, and how do I prevent it?",
            ("How severe is NodeRAIDDegraded", "how do I replace the disk",
             "NodeRAIDDegraded: how do I prevent it"),
        ),
        ("What does EtcdSlow mean and how do I fix it?", ("What does EtcdSlow mean", "EtcdSlow: how do I fix it")),
        ("EtcdSlow 是什么意思？严重吗？怎么处理？", ("EtcdSlow 是什么意思", "EtcdSlow: 严重吗", "EtcdSlow: 怎么处理")),
        ("A pod is in CrashLoopBackOff. What should I check?", None),
        ("How do I restore the database and restart the service?", None),
        ("Which command shows whether etcd is healthy?", None),
        ("What should I do when the pod is killed, or when the node is not ready?", None),
    ],
)  # fmt: skip
def test_a_question_is_parted_where_it_asks_several_things(question: str, expected: tuple[str, ...] | None) -> None:
    assert tuple(parts(question)) == (expected or (question,))


def test_each_part_is_answered_from_where_it_stands(client: Client) -> None:
    base = client.create_knowledge_base("Runbooks")
    files = [("a.md", RUNBOOK), ("b.md", REPLACING), ("c.md", LUNCH)]
    assert list(client.run_events(client.upload(base.id, files).id))[-1].state == "done"
    question = "How severe is NodeRAIDDegraded, how do I replace the disk, and how do I prevent it?"
    answer = list(client.ask(client.create_thread().id, NewMessage(text=question)))[-1]
    assert isinstance(answer, Answer)
    for said in ("it is critical", "mdadm --fail", "SMART counters"):
        assert said in answer.text
    assert "soup" not in answer.text
    assert {citation.source_uri for citation in answer.citations} == {"a.md", "b.md"}
