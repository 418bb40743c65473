"""Answers without a language model to what people on call ask the sample knowledge base, held to what any answer owes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import wait_until
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Answer
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.schemas.threads import NewMessage
from knowledge import loaders
from knowledge import samples as shipped

SAMPLES = Path(shipped.__file__).parent

ASKED: dict[str, str | tuple[str, ...]] = {  # question: how the source of the first citation begins
    "A pod is in CrashLoopBackOff. What should I check?": "runbooks/kubernetes/KubePodCrashLooping",
    "What does etcdHighFsyncDurations mean and how do I fix it?": "runbooks/etcd/etcdHighFsyncDurations",
    "Why does the pod restart?": "runbooks/kubernetes/KubePodCrashLooping",
    "KubePersistentVolumeFillingUp": "runbooks/kubernetes/KubePersistentVolumeFillingUp",
    "What is the impact of TargetDown?": "runbooks/general/TargetDown",
    "A deployment's replicas do not match": "runbooks/kubernetes/KubeDeploymentReplicasMismatch",
    "node clock skew alert": "runbooks/node/NodeClockNotSynchronising",
    "Prometheus cannot reach alertmanager, what do I do?": "runbooks/alertmanager/",
    "Which command shows etcd latency?": "runbooks/etcd/",
    "A disk of a RAID array has failed": "runbooks/node/NodeRAIDDegraded",
    "node runs out of file descriptors": "runbooks/node/NodeFileDescriptorLimit",
    "How do I connect a language model?": "guide/02-models",
    "How do I use Ollama?": "guide/02-models",
    "How can another program ask a question over HTTP?": "guide/04-api",
    "How do I follow a folder?": "guide/03-knowledge",
    "What happens to a file that cannot be read?": "guide/03-knowledge",
    "Search without an answer": ("guide/03-knowledge", "guide/04-api"),  # in the page, or by a route
    "如何连接一个语言模型？": "guide/zh/02",
    "怎样用一条命令启动？": "guide/zh/01",
    "怎样导入一个文件夹？": "guide/zh/01",
    "数据存放在哪里？": "guide/zh/01",
    "可以上传哪些文件格式？": "guide/zh/03",
    "怎样跟随服务器上的文件夹？": "guide/zh/03",
    "怎样使用 Ollama？": "guide/zh/02",
    "怎样通过 HTTP 提问？": "guide/zh/04",
    "怎样把服务开放给网络？": "guide/zh/04",
    "etcdHighFsyncDurations 告警是什么意思？": "runbooks/etcd/etcdHighFsyncDurations",
    "KubePodCrashLooping 怎么处理？": "runbooks/kubernetes/KubePodCrashLooping",
    "TargetDown 有什么影响？": "runbooks/general/TargetDown",
}
OFF_TOPIC = (
    "How do I bake a chocolate cake?",
    "Who won the world cup in 2018?",
    "How do I configure BGP peering on a Juniper router?",
    "What is the salary of our CEO?",
    "How do I rotate TLS certificates with certbot?",
    "How do I renew my passport?",
    "How do I tune MySQL innodb buffer pool?",
    "怎么做红烧肉？",
    "北京明天天气怎么样？",
    "如何备份 Oracle 数据库？",
)
_NOTHING = re.compile(r"nothing in your documents (?:fits|clearly answers)|文档中也没有")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHATBOT_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        settings = load()
        data = open_data_directory(settings.data_dir)
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            for language in ("en", "zh"):
                run = client.build_samples(language)  # type: ignore[arg-type]
                wait_until(lambda run=run: client.run(run.id).ended)
                assert client.run(run.id).state == "done"
            yield client
        data.close()


def answer(client: Client, question: str) -> Answer:
    last = list(client.ask(client.create_thread().id, NewMessage(text=question)))[-1]
    assert isinstance(last, Answer), last
    return last


def squashed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def plain(text: str) -> str:
    """Words alone: an answer leaves out links that lead nowhere outside their document."""
    return squashed(re.sub(r"\[([^\]]*)\](?:\[[^\]]*\]|\([^)]*\))|[_*]", r"\1", text))


@pytest.mark.parametrize("question", ASKED)
def test_an_answer_comes_from_the_right_document_whole_and_in_order(samples: Client, question: str) -> None:
    found = answer(samples, question)
    first = found.citations[0]
    assert first.source_uri.startswith(ASKED[question])
    chinese = bool(re.search(r"[\u4e00-\u9fff]", question))
    assert ("尚未连接语言模型" in found.text) == chinese
    marks = [int(mark) for mark in re.findall(r"\[(\d+)\](?!\()", re.sub(r"```.*?```", "", found.text, flags=re.S))]
    assert list(dict.fromkeys(marks)) == [one.number for one in found.citations] == list(range(1, len(set(marks)) + 1))
    documents = {
        one.source_uri: loaders.load((SAMPLES / one.source_uri).read_bytes(), one.source_uri).text
        for one in found.citations
    }
    for citation in found.citations:
        assert squashed(citation.quote) in squashed(documents[citation.source_uri])
        first, last = citation.location.line_start, citation.location.line_end
        assert first is not None
        lines = documents[citation.source_uri].splitlines()[first - 1 : last]
        assert squashed(citation.quote)[:40] in squashed("\n".join(lines)), (
            "the words stand on the lines that are named"
        )
        opened = samples.chunk(citation.ref, citation.quote)
        assert squashed(opened.text[opened.start : opened.end]) == squashed(citation.quote)
        assert opened.location.line_start is not None
        assert opened.location.line_end is not None
        assert opened.location.line_start <= (last or first), "the page beside the answer names the same place"
        assert first <= opened.location.line_end
    assert found.text.count("```") % 2 == 0
    everything = squashed("\n".join(documents.values()))
    for code in re.findall(r"```[\w+-]*\n(.*?)\n```", found.text, flags=re.S):
        assert squashed(code.removesuffix("\n…")) in everything, "code is quoted as it stands"
    prose = [line for line in found.text.splitlines() if len(line) > 50 and not re.search(r"[\[`*|_…]", line)]
    for line in prose:
        assert plain(line) in plain("\n".join(documents.values())), "sentences are whole and unchanged"


@pytest.mark.parametrize("question", OFF_TOPIC)
def test_what_the_documents_do_not_answer_is_said_so(samples: Client, question: str) -> None:
    assert _NOTHING.search(answer(samples, question).text)


def test_both_things_that_a_question_asks_for_come(samples: Client) -> None:
    said = answer(samples, "怎样用一条命令启动并导入一个文件夹？").text
    assert "make serve" in said
    assert "新建一个知识库" in said
