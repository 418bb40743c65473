"""Which way a question takes, why, and how sure; and follow-ups by rules."""

from pathlib import Path

import pytest

from agents.scenarios import SCENARIOS
from devops_chatbot.access.principals import LOCAL, Principal
from devops_chatbot.chat import Citation, Question, Turn
from devops_chatbot.errors import BadQuestion, ModelUnavailable
from devops_chatbot.i18n import Language
from devops_chatbot.routing.query_rewriting import standalone
from devops_chatbot.routing.router import Circumstances, Router
from devops_chatbot.scheduler.scenarios import load_scenarios
from knowledge.catalog.catalog import KnowledgeBase
from knowledge.embed import Embedder, open_bundled
from knowledge.text.entities import identifiers
from knowledge.text.language import language_of

SHIPPED = load_scenarios([SCENARIOS], agents=["docs"]).usable
WITH = Circumstances(language_model=True)
WITHOUT = Circumstances(language_model=False)


class Base:
    def __init__(self, identity: str, chunks: int) -> None:
        self.id, self.chunks = identity, chunks


def router(*bases: Base, embedder=None) -> Router:
    def listed(_: Principal) -> list[KnowledgeBase]:
        return list(bases)  # type: ignore[arg-type]

    return Router(SHIPPED, knowledge_bases=listed, embedder=embedder)


def chosen(router: Router, text: str, circumstances: Circumstances = WITH, **options: object) -> tuple[str, float]:
    route = router.choose(Question(principal=LOCAL, text=text, **options), text, circumstances)  # type: ignore[arg-type]
    assert route.why
    assert route.confidence + sum(other.confidence for other in route.alternatives) == pytest.approx(1)
    return route.scenario, route.confidence


def test_without_documents_nothing_is_looked_up_and_nothing_is_embedded() -> None:
    def never() -> Embedder:
        raise AssertionError("the embedder was used")

    empty = router(Base("kb1", 0), embedder=never)
    assert chosen(empty, "What does KubePodCrashLooping mean?")[0] == "chat"
    full = router(Base("kb1", 5), embedder=never)
    assert chosen(full, "What does KubePodCrashLooping mean?") == ("docs", 0.95)
    for text in ("hello!", "Thank you", "你好", "谢谢！", "who are you?"):
        assert chosen(full, text)[0] == "about", text


def test_a_request_about_the_conversation_is_no_search() -> None:
    full = router(Base("kb1", 5))
    follows = Circumstances(language_model=True, follows=True)
    for text in (
        "Translate that into Chinese",
        "shorter please",
        "把上面的回答翻译成英文",
        "Summarise your last answer",
    ):
        assert chosen(full, text, follows)[0] == "chat", text
    assert chosen(full, "Summarise your last answer")[0] == "docs"


def test_what_only_a_language_model_can_do_is_not_searched_for() -> None:
    full = router(Base("kb1", 5))
    for text in ("Write a poem about Kubernetes", "translate 'good morning' to French", "讲个笑话", "帮我写一封邮件"):
        assert chosen(full, text, WITHOUT)[0] == "chat", text
    follows = Circumstances(language_model=False, follows=True)
    assert chosen(full, "Translate that into Chinese", follows)[0] == "chat"
    for text in ("explain it", "How do I write a runbook?", "translate KubePodCrashLooping"):
        assert chosen(full, text, follows)[0] == "docs", text


def test_small_talk_is_nothing_else() -> None:
    full = router(Base("kb1", 5))
    for text in (
        "good job",
        "how are you today?",
        "Are you a bot?",
        "What's your name?",
        "好的，谢谢",
        "辛苦了",
        "ok thanks!",
        "Who are you and what can you do?",
    ):
        assert chosen(full, text, WITHOUT)[0] == "about", text
    for text in (
        "no space left on device",
        "thanks, and CephMonQuorumLost?",
        "好的，怎么修复？",
        "hi, why is etcd slow?",
        "and then?",
    ):
        assert chosen(full, text, WITHOUT)[0] == "docs", text


def test_examples_decide_where_rules_are_silent(embedding_cache: Path) -> None:
    embedder = open_bundled(embedding_cache)
    full = router(Base("kb1", 5), embedder=lambda: embedder)
    for text in ("How do we restart the ingest workers?", "Why does the load balancer drop connections?"):
        assert chosen(full, text)[0] == "docs", text
    for text in ("Write a haiku about autumn leaves", "Translate 'good morning' to Spanish", "Tell me something funny"):
        assert chosen(full, text)[0] == "chat", text
    embedder.close()


@pytest.mark.parametrize(
    ("text", "scenario"),
    [
        ("Why does my pod restart all the time?", "docs"),
        ("etcd is slow, what should I do?", "docs"),
        ("How do I drain a node safely?", "docs"),
        ("What is the escalation path for the payments service?", "docs"),
        ("Who is on call this week?", "docs"),
        ("Prometheus target is down", "docs"),
        ("How do I write a runbook?", "docs"),
        ("Summarize the etcd runbook", "docs"),
        ("Write a haiku about Kubernetes", "chat"),
        ("Translate 'the disk is full' to German", "chat"),
        ("Please write a bash script that deletes old logs", "chat"),
        ("Tell me a joke", "chat"),
        ("What is 17 * 23?", "chat"),
        ("我的 Pod 一直重启怎么办？", "docs"),
        ("etcd 很慢怎么处理？", "docs"),
        ("如何安全地排空节点？", "docs"),
        ("我们的发布流程是什么？", "docs"),
        ("数据库主从延迟怎么排查？", "docs"),
        ("帮我写一首关于运维的诗", "chat"),
        ("把“磁盘已满”翻译成英文", "chat"),
        ("讲个笑话", "chat"),
        ("你能做什么？", "about"),
    ],
)
def test_people_s_questions_go_where_they_belong(text: str, scenario: str, embedding_cache: Path) -> None:
    embedder = open_bundled(embedding_cache)
    route = router(Base("kb1", 5), embedder=lambda: embedder).choose(Question(principal=LOCAL, text=text), text, WITH)
    embedder.close()
    assert route.scenario == scenario
    assert 0.5 < route.confidence < 1
    assert route.why


def test_routing_goes_on_when_the_embedder_is_not_there() -> None:
    def gone() -> Embedder:
        raise ModelUnavailable("no embedder")

    blind = router(Base("kb1", 5), embedder=gone)
    assert chosen(blind, "Where are the dashboards?")[0] == "docs"
    assert chosen(blind, "Tell me something funny")[0] == "chat"


def test_the_asker_decides_and_only_filled_sources_are_asked() -> None:
    full = router(Base("kb1", 5), Base("kb2", 0), Base("kb3", 1))
    assert chosen(full, "hello", scenario="docs") == ("docs", 1.0)
    assert full.choose(Question(principal=LOCAL, text="EtcdSlow"), "EtcdSlow", WITH).sources == ("kb1", "kb3")
    one = Question(principal=LOCAL, text="EtcdSlow", knowledge_bases=("kb3", "kb2"))
    assert full.choose(one, "EtcdSlow", WITH).sources == ("kb3",)
    with pytest.raises(BadQuestion, match="chat, docs"):
        full.choose(Question(principal=LOCAL, text="x", scenario="cook"), "x", WITH)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_reason_has_a_text_in_each_language(language: Language) -> None:
    text = "etcdHighFsyncDurations 告警是什么意思？"
    named = router(Base("kb1", 5)).choose(Question(principal=LOCAL, text=text), text, WITH).why
    only = router().choose(Question(principal=LOCAL, text="What is etcd?"), "What is etcd?", WITH).why
    assert named
    assert only
    assert "etcdHighFsyncDurations" in named.text(language)
    assert all(language_of(why.text(language)) == language for why in (named, only))


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        ("How do I back up MySQL on Debian?", "and on Ubuntu?", "How do I back up MySQL on Ubuntu?"),
        ("What does KubePodCrashLooping mean?", "how do I fix it?", "KubePodCrashLooping how do I fix it?"),
        ("What does KubePodCrashLooping mean?", "And KubePodNotReady?", "What does KubePodNotReady mean?"),
        ("KubePodCrashLooping 是什么意思？", "那 KubePodNotReady 呢？", "KubePodNotReady 是什么意思？"),
        ("周朝贵族男子满多少岁时举办冠礼？", "女子呢？", "周朝贵族女子满多少岁时举办冠礼？"),
        ("KubePodCrashLooping 是什么意思？", "KubePodNotReady 呢？", "KubePodNotReady 是什么意思？"),
        ("KubePodCrashLooping 是什么意思？", "怎么处理它？", "KubePodCrashLooping 怎么处理它？"),
        ("What does KubePodCrashLooping mean?", "why?", "KubePodCrashLooping why?"),
        ("How can I connect Ollama?", "And Azure?", "How can I connect Azure?"),
        ("How do I check the lag on MySQL?", "What about Redis?", "How do I check the lag on Redis?"),
        ("How do I check the lag on MySQL?", "how do I fix it?", "lag on MySQL how do I fix it?"),
        ("What does KubePodCrashLooping mean?", "what's the impact?", "KubePodCrashLooping what's the impact?"),
        (
            "What does KubePodCrashLooping mean?",
            "Which command shows logs?",
            "KubePodCrashLooping Which command shows logs?",
        ),
        ("What does KubePodCrashLooping mean?", "what next?", "KubePodCrashLooping what next?"),
        ("How do I check the lag on MySQL?", "What is the capital of France?", None),
        ("如何在 MySQL 上查看主从延迟？", "那 Postgres 呢？", "如何在 Postgres 上查看主从延迟？"),
        ("如何在 MySQL 上查看主从延迟？", "Postgres 上呢？", "如何在 Postgres 上查看主从延迟？"),
        ("如何在 MySQL 上查看主从延迟？", "怎么修复？", "在 MySQL 上 主从延迟 怎么修复？"),
        ("KubePodCrashLooping 是什么意思？", "用哪个命令看日志？", "KubePodCrashLooping 用哪个命令看日志？"),
        ("KubePodCrashLooping 是什么意思？", "影响呢？", "KubePodCrashLooping 影响呢？"),
        ("KubePodCrashLooping 是什么意思？", "如何备份数据库？", None),
        ("NodeRAIDDegraded 怎么处理？", "为什么会这样？", "NodeRAIDDegraded 为什么会这样？"),
        ("磁盘空间不足怎么排查？", "那内存呢？", "内存怎么排查？"),
        ("磁盘空间不足怎么排查？", "怎么修复？", "磁盘空间不足 怎么修复？"),
        ("支付组值班人是谁？", "订单组呢？", "订单组值班人是谁？"),
        ("赵鹏是谁？", "他在哪个俱乐部踢球？", "赵鹏 他在哪个俱乐部踢球？"),
        ("赵鹏是谁？", "其他球员有哪些？", None),
        ("what does CephOSDDown mean?", "mitigation?", "CephOSDDown mitigation?"),
        ("who is on call for payments?", "and for platform?", "who is on call for platform?"),
        ("what does 504 mean?", "and 502?", "what does 502 mean?"),
        ("When does the PostgreSQL backup run?", "and for MySQL?", "When does the MySQL backup run?"),
        ("When does the PostgreSQL backup run?", "how about mysql", "When does the mysql backup run?"),
        ("How do I restart the primary?", "what about the standby?", "How do I restart the standby?"),
        (
            "How do I restart nginx in the production cluster?",
            "and in the staging cluster?",
            "How do I restart nginx in the staging cluster?",
        ),
        ("生产环境怎么发布？", "测试环境呢？", "测试环境怎么发布？"),
        ("When does the PostgreSQL backup run?", "MySQL?", "When does the MySQL backup run?"),
        ("When does the PostgreSQL backup run?", "same for Redis", "When does the Redis backup run?"),
        ("How do I check the lag on PostgreSQL?", "on the standby?", "How do I check the lag on the standby?"),
        ("What does KubePodCrashLooping mean?", "Then how do I drain a node?", "how do I drain a node?"),
        ("What does NodeRAIDDegraded mean?", "and what does CephOSDDown mean?", "what does CephOSDDown mean?"),
        ("PostgreSQL 主从延迟怎么检查？", "那 MySQL 呢？", "MySQL 主从延迟怎么检查？"),
        ("PostgreSQL 主从延迟怎么检查？", "另外，证书放在哪里？", "证书放在哪里？"),
        ("How do I restart nginx?", "nginx is down", None),
        ("How do I restart nginx?", "Where are the logs of postgres kept?", "Where are the logs of postgres kept?"),
        ("How do I restart nginx?", "What does etcdSlowDisk mean and does it matter?", None),
    ],
)
def test_a_follow_up_stands_on_its_own(before: str, question: str, expected: str | None) -> None:
    history = (Turn(role="user", text=before), Turn(role="assistant", text="Something [1]."))
    assert standalone(question, history) == (expected or question)


def test_a_follow_up_of_a_follow_up() -> None:
    said = ("What does KubePodCrashLooping mean?", "how do I fix it?")
    history = tuple(Turn(role="user", text=text) for text in said)
    assert "KubePodCrashLooping" in standalone("and what is its impact?", history)


@pytest.mark.parametrize(
    ("said", "question", "expected"),
    [
        (("how do I check the lag on MySQL?", "ok"), "and fix it?", "lag on MySQL fix it?"),
        (("how do I check the lag on MySQL?", "why?", "what next?"), "and Postgres?", "lag on Postgres what next?"),
        (("磁盘空间不足怎么排查？", "那内存呢？", "怎么修复？", "谢谢"), "那 CPU 呢？", "CPU 怎么修复？"),
        (("thanks",), "and on Postgres?", "and on Postgres?"),
        (("what does CephOSDDown mean?",), "ok, thanks!", "ok, thanks!"),
    ],
)
def test_small_talk_and_earlier_follow_ups_do_not_pile_up(said: tuple[str, ...], question: str, expected: str) -> None:
    assert standalone(question, tuple(Turn(role="user", text=text) for text in said)) == expected


def test_a_name_takes_the_place_of_the_one_that_the_cited_page_is_about() -> None:
    citation = Citation(number=1, ref="d#v-0", quote="x", title="Redis operations")
    history = (
        Turn(role="user", text="how do I restart redis?"),
        Turn(role="assistant", text="So [1].", citations=(citation,)),
    )
    assert standalone("what about Postgres?", history) == "how do I restart Postgres?"


def test_a_name_takes_the_place_of_the_one_that_is_written_like_a_name() -> None:
    citation = Citation(number=1, ref="d#v-0", quote="x", title="PostgreSQL replication lag")
    history = (
        Turn(role="user", text="How do I check the replication lag on PostgreSQL?"),
        Turn(role="assistant", text="So [1].", citations=(citation,)),
    )
    assert standalone("and for MySQL?", history) == "How do I check the replication lag on MySQL?"


def test_what_was_cited_helps_where_nothing_was_named() -> None:
    citation = Citation(number=1, ref="d#v-0", quote="x", title="Certificate renewal")
    history = (
        Turn(role="user", text="our web site shows visitors an old expired certificate warning today, please help"),
        Turn(role="assistant", text="Renew it [1].", citations=(citation,)),
    )
    assert standalone("which command does it?", history) == "Certificate renewal which command does it?"
    assert standalone("anything", ()) == "anything"


def test_names_of_machines_are_recognised() -> None:
    text = "Why does KubePodCrashLooping on db-01.example.org write /var/log/syslog with --verbose and max_connections?"
    found = identifiers(text)
    for name in ("KubePodCrashLooping", "db-01.example.org", "/var/log/syslog", "--verbose", "max_connections"):
        assert name in found
    assert identifiers("How do I restart the web server?") == []


def test_what_is_asked_about_a_name_decides_between_documents_and_tools(embedding_cache: Path) -> None:
    embedder = open_bundled(embedding_cache)
    every = load_scenarios([SCENARIOS], agents=["docs", "tools"]).usable
    full = Router(every, knowledge_bases=lambda _: [Base("kb1", 5)], embedder=lambda: embedder)  # type: ignore[arg-type, return-value]
    for text in (
        "What does KubePodCrashLooping mean?",
        "etcdMembersDown what should I check",
        "What is the impact of NodeFilesystemAlmostOutOfSpace?",
        "Which command shows the logs of kube-proxy?",
        "What should I check when a pod keeps restarting?",
    ):
        assert chosen(full, text)[0] == "docs", text
    for text in (
        "Why is NodeLoadHigh firing?",
        "Why did KubePodCrashLooping fire last night?",
        "Why is this alert firing?",
    ):
        assert chosen(full, text)[0] == "alert-investigation", text
        assert chosen(full, text, WITHOUT)[0] == "docs", "without a model nobody calls tools"
    for text in ("What is the current value of node_load1?", "Silence NodeLoadHigh for 2 hours"):
        assert chosen(full, text)[0] == "tools", text
    embedder.close()
