"""Text, data and source code; encodings; and files that are none of these."""

import codecs

import pytest

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders import load

CHINESE = "磁盘已满时,节点会变为只读。请先检查日志目录的大小,然后删除旧的文件。\n告警恢复后,确认业务已经正常。\n"


@pytest.mark.parametrize(
    ("name", "source", "names"),
    [
        ("a.py", "import os\n\n@cache\ndef hello(): ...\n\nclass Box:\n    def open(self): ...\n", ["hello", "Box", "open"]),
        ("a.go", "package a\n\nfunc (s *Server) Start() error {\n}\n\ntype Server struct {\n}\n", ["Start", "Server"]),
        ("a.ts", "export const load = async (a: A) => {\n}\nclass Box {\n  open(a: A): B {\n  }\n}\n", ["load", "Box", "open"]),
        ("A.java", "public class A {\n    public static void main(String[] args) throws Exception {\n    }\n}\n", ["A", "main"]),
        ("a.sh", "set -e\nrestart() {\n  true\n}\n", ["restart"]),
        ("a.tf", 'resource "aws_instance" "web" {\n}\n', ["aws_instance web"]),
        ("Makefile", "build: deps\n\tgo build\n\ntest:\n\tgo test\n", ["build", "test"]),
        ("a.rs", "pub(crate) async fn run(x: u8) -> u8 {\n}\nimpl Box {\n}\n", ["run", "Box"]),
    ],
)  # fmt: skip
def test_definitions_are_the_sections_of_code(name: str, source: str, names: list[str]) -> None:
    parsed = load(source.encode(), name)
    assert [section.heading_path[-1] for section in parsed.sections if section.heading_path] == names
    assert parsed.text == source
    assert parsed.has_lines


def test_prose_in_code_defines_nothing() -> None:
    source = 'def serve():\n    """Owns the\n    data directory, and a\n    resource that type checks.\n    """\n'
    assert [section.heading_path for section in load(source.encode(), "a.py").sections] == [("serve",)]


def test_kubernetes_objects_and_alerts_are_sections() -> None:
    manifest = (
        "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    a: b\n  name: web\n---\nkind: PrometheusRule\nmetadata:\n"
        "  name: rules\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: DiskFull\n      expr: up == 0\n"
    )
    assert [section.heading_path for section in load(manifest.encode(), "a.yml").sections] == [
        ("Service web",),
        ("PrometheusRule rules",),
        ("PrometheusRule rules", "DiskFull"),
    ]


def test_tables_of_settings_are_sections() -> None:
    assert [s.heading_path for s in load(b"a = 1\n[server]\nport = 1\n\n[[rule]]\nb = 2\n", "a.toml").sections] == [
        (),
        ("server",),
        ("rule",),
    ]


def test_comments_and_decorators_belong_to_what_they_stand_above() -> None:
    source = "import os\n\n# Says hello.\n@cache\ndef hello():\n    pass\n"
    section = load(source.encode(), "a.py").sections[1]
    assert source[section.start :].startswith("# Says hello.")


def test_data_is_cut_by_lines() -> None:
    parsed = load(b"a: 1\nb:\n  - 2\n", "values.yaml")
    assert (parsed.loader, parsed.code_language, parsed.title) == ("text", "yaml", "values.yaml")
    assert load(b"words", "notes.txt").code_language is None


@pytest.mark.parametrize(
    "data",
    [
        CHINESE.encode(),
        codecs.BOM_UTF8 + CHINESE.encode(),
        CHINESE.encode("utf-16"),
        codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"),
        CHINESE.encode("gb18030"),
        CHINESE.replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8", "mark", "utf-16-le", "utf-16-be", "gb18030", "crlf"],
)
def test_encodings_of_chinese(data: bytes) -> None:
    assert load(data, "runbook.md").text == CHINESE


def test_short_chinese_in_gb18030() -> None:
    assert load("重启服务".encode("gb18030"), "a.txt").text == "重启服务"


def test_korean_is_not_taken_for_chinese() -> None:
    words = "개요: 클러스터 노드 장애 대응 절차를 설명합니다.\n"
    assert load(words.encode("euc-kr"), "a.txt").text == words


def test_latin_1_and_utf_16_without_a_mark() -> None:
    words = "Ein Rückblick über das Störungsprotokoll, mit Café und naïver Lösung.\n"
    assert load(words.encode("latin-1"), "a.txt").text == words
    czech = "Příliš žluťoučký kůň úpěl ďábelské ódy, řekl správce a restartoval server.\n" * 3
    assert load(czech.encode("cp1250"), "a.txt").text == czech
    assert load("Windows wrote this log.\n".encode("utf-16-le"), "a.log").text == "Windows wrote this log.\n"


def test_one_broken_byte_does_not_spoil_a_text() -> None:
    parsed = load(("Größe " * 200).encode() + b"\xff end", "a.log")
    assert parsed.text.startswith("Größe Größe")
    assert parsed.text.endswith("\ufffd end")


def test_a_page_says_its_encoding() -> None:
    page = '<html><head><meta charset="gb2312"></head><body><p>磁盘</p></body></html>'
    assert "磁盘" in load(page.encode("gb18030"), "a.html").text


def test_colours_of_a_terminal_are_taken_out() -> None:
    assert load(b"\x1b[31mERROR\x1b[0m disk full\n", "a.log").text == "ERROR disk full\n"


@pytest.mark.parametrize(
    ("data", "name", "says"),
    [
        (b"", "a.md", "empty"),
        (b" \n\t\n", "a.md", "empty"),
        (bytes(range(256)) * 20, "a.txt", "binary"),
        (b"\x01\x02\x03\x04" * 500, "a.txt", "binary"),
        (b"PK\x03\x04rest", "a.md", r"name says markdown but its content is a zip archive"),
        (b"PK\x03\x04rest", "a.docx", "PDF, Markdown"),
        (b"\x89PNG\r\n\x1a\nrest", "a.txt", "OCR is not available"),
        (b"\x1f\x8brest", "a.log", "Unpack it"),
        (b'{"cells": []}', "a.ipynb", r"\.ipynb are not read yet"),
        (codecs.BOM_UTF16_LE + b"\0\xd8" * 20, "a.txt", "broken at byte"),
        (b"%PDF-1.7 cut", "a.pdf", "broken or cut off"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_do(data: bytes, name: str, says: str) -> None:
    with pytest.raises(UnsupportedFile, match=says) as raised:
        load(data, name)
    assert str(raised.value).endswith((".", "!"))


LOG = "2026-11-02 10:00:00 INFO  scheduler started, 4 workers\n" * 1500


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "words", ["contact=Jörg Müller, Büro Köln", "owner=André", "Señal perdida en el nodo", "Überlast"]
)
@pytest.mark.parametrize("around", ["", LOG])
def test_a_few_accents_in_ascii(words: str, encoding: str, around: str) -> None:
    assert load(f"{around}{words}\n{around}".encode(encoding), "latin.conf").text == f"{around}{words}\n{around}"


@pytest.mark.parametrize(
    ("encoding", "words"), [("gbk", "错误 磁盘空间不足"), ("gbk", "告警"), ("gb18030", "请联系值班人员张伟，电话 4410")]
)
@pytest.mark.parametrize("around", ["", LOG])
def test_a_few_words_of_gbk_in_ascii(words: str, encoding: str, around: str) -> None:
    text = f"{around}ERROR {words} code=7\n"
    assert load(text.encode(encoding), "app.log").text == text


@pytest.mark.parametrize("cut", [1, 2, 4, 5])
@pytest.mark.parametrize("end", [None, -2])
def test_utf_8_cut_in_a_character_loses_only_that(cut: int, end: int | None) -> None:
    parsed = load(CHINESE.encode()[cut:end], "tail.log")
    assert "节点会变为只读" in parsed.text
    assert parsed.text.count("\ufffd") <= 3
    assert [note.code for note in parsed.notes] == ["left_out.bytes"]
    assert "\ufffd" not in load(CHINESE.encode()[3:], "tail.log").text


def test_a_line_of_another_program_in_a_log() -> None:
    lines = [CHINESE.encode(), "legacy: 磁盘已满\n".encode("gbk"), CHINESE.encode(), b"broken \xff\xfe\n"]
    text = load(b"".join(lines), "mixed.log").text
    assert text.startswith(CHINESE)
    assert "legacy: 磁盘已满\n" in text


def test_utf_16_that_was_cut_is_read() -> None:
    assert load(codecs.BOM_UTF16_LE + CHINESE.encode("utf-16-le")[:-1], "a.txt").text == CHINESE[:-1] + "\ufffd"


@pytest.mark.parametrize("holes", [b"\0" * 70_000, b"\0" * 3])
def test_a_log_with_holes_is_read(holes: bytes) -> None:
    parsed = load(b"10:00 before the rotation\n" + holes + b"10:01 after it\n" + LOG.encode(), "app.log")
    assert parsed.text.startswith("10:00 before the rotation\n10:01 after it\n")


@pytest.mark.parametrize("name", ["page.md", "page.txt", "page.html", "page.rst", "page.yaml", "page.py", "page.csv"])
def test_what_nobody_sees_is_gone_and_what_looks_the_same_is(name: str) -> None:
    source = (
        "\ufeffKube\u200bPod\ufeffNotReady on db\u2011prod\u201107: \uff25\uff32\uff32\uff0d\uff15\uff10\uff10\uff11, "
        "o\ufb03ce, re\u00adstart, 10\u00a0GB，10⁶（见下）\n"
    )
    assert (
        load(source.encode(), name).text.strip()
        == "KubePodNotReady on db-prod-07: ERR-5001, office, restart, 10 GB，10⁶（见下）"
    )
