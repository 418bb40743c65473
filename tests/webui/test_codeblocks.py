"""Which code blocks of an answer can be run, and what of them is code."""

from sandbox.model import Language
from webui.chat.codeblocks import Code, fenced, names_of, parts, runnable, to_run

NAMES = names_of(
    [
        Language(name="python", title="Python", aliases=("py", "python3")),
        Language(name="shell", title="Shell", aliases=("bash", "sh", "console")),
        Language(name="node", title="JavaScript (Node)", aliases=("javascript", "js")),
    ]
)


def codes(answer: str) -> list[Code]:
    return [part for part in parts(answer) if isinstance(part, Code)]


def test_blocks_are_numbered_over_all_of_the_answer_whether_they_can_be_run_or_not() -> None:
    answer = "a\n```yaml\nx: 1\n```\nb\n~~~Python title=x\nprint(1)\n~~~\n```\nplain\n```\n```js\n1\n```"
    assert [(code.number, language) for code, language in runnable(answer, NAMES)] == [(1, "python"), (3, "node")]
    assert [part if isinstance(part, str) else part.text for part in parts(answer)] == [
        "a", "x: 1", "b", "print(1)", "plain", "1",
    ]  # fmt: skip


def test_a_block_in_a_list_loses_the_lists_indentation_and_keeps_its_own() -> None:
    (code,) = codes("1. Try\n\n   ```python\n   if x:\n       y()\n   ```\n2. Done")
    assert code.text == "if x:\n    y()"


def test_a_longer_fence_holds_shorter_ones_and_an_open_one_goes_to_the_end() -> None:
    first, second = codes("````python\n```\nx = '''\n```\n````\n```sh\nls\n\nlate")
    assert first.text == "```\nx = '''\n```"
    assert second.text == "ls\n\nlate"
    assert codes(fenced(first)) == [first]


def test_inline_code_and_empty_blocks_are_no_cells() -> None:
    assert runnable("use `python` and ```inline``` and\n```python\n\n```", NAMES) == []


def test_of_a_transcript_only_the_commands_are_run() -> None:
    (code,) = codes("```console\n# look first\n$ kubectl get pods\nNAME READY\nroot@node:/# ls -la\ntotal 0\n```")
    assert to_run(code) == "kubectl get pods\nls -la"
    (plain,) = codes("```console\nls\n```")
    assert to_run(plain) == "ls"
    (script,) = codes("```bash\n# install\n$x\n```")
    assert to_run(script) == "# install\n$x"
