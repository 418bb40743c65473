"""Greetings, thanks and questions about the assistant: answered like a person would, with what can be asked now."""

from devops_chatbot.chat import Answer
from devops_chatbot.client.client import Client
from devops_chatbot.schemas.threads import NewMessage


def said(client: Client, text: str, **chosen: object) -> Answer:
    message = NewMessage(text=text, **chosen)  # type: ignore[arg-type]
    answer = list(client.ask(client.create_thread().id, message))[-1]
    assert isinstance(answer, Answer), answer
    return answer


def learn(client: Client, base: str, *titles: str) -> str:
    made = client.create_knowledge_base(base)
    files = [(f"{number}.md", f"# {title}\n\nText of {title}.\n".encode()) for number, title in enumerate(titles)]
    assert list(client.run_events(client.upload(made.id, files).id))[-1].state == "done"
    return made.id


def test_a_greeting_is_answered_with_what_can_be_asked_now(client: Client) -> None:
    empty = said(client, "hello")
    assert empty.route.scenario == "about"
    assert "add documents" in empty.text
    learn(client, "Databases", "PostgresReplicationLag", "How do we restore a backup?")
    billing = learn(client, "Billing", "Month end")
    for text, begins in (
        ("Hi!", "Hello!"),
        ("thank you so much", "You are welcome"),
        ("who are you?", "I am DevOps ChatBot"),
    ):
        answer = said(client, text)
        assert answer.text.startswith(begins), answer.text
        assert "PostgresReplicationLag" in answer.text
        assert "Month end" in answer.text
        assert not answer.citations
    chinese = said(client, "你好，你是谁？")
    assert chinese.text.startswith("我是 DevOps ChatBot")
    assert "PostgresReplicationLag 是什么意思" in chinese.text
    assert "Month end" in said(client, "hi", knowledge_bases=(billing,)).text
    assert "Postgres" not in said(client, "hi", knowledge_bases=(billing,)).text


def test_suggestions_come_from_the_chosen_knowledge_bases(client: Client) -> None:
    assert client.suggestions() == ()
    learn(client, "Databases", "PostgresReplicationLag", "How do we restore a backup?", "Failover", "Vacuum")
    billing = learn(client, "Billing", "Month end")
    assert client.suggestions([billing]) == ("What does “Month end” say?",)
    everything = client.suggestions(language="zh")
    assert len(everything) == 3
    assert "《Month end》讲了什么？" in everything
    of_databases = client.suggestions(["Databases"])
    assert set(of_databases) <= {
        "What does PostgresReplicationLag mean and how do I fix it?", "How do we restore a backup?",
        "What does “Failover” say?", "What does “Vacuum” say?",
    }  # fmt: skip


def test_a_question_keeps_which_knowledge_bases_were_chosen(client: Client) -> None:
    base = learn(client, "Databases", "PostgresReplicationLag")
    thread = client.create_thread().id
    list(client.ask(thread, NewMessage(text="What does PostgresReplicationLag mean?", knowledge_bases=("Databases",))))
    list(client.ask(thread, NewMessage(text="And what else?")))
    assert [one.knowledge_bases for one in client.thread(thread).messages if one.role == "user"] == [(base,), ()]
