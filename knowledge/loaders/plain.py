"""Text without structure, and source code with the names of what it defines."""

import re

from knowledge.loaders.sections import Heading, sections_of, title_of
from knowledge.model import ParsedDocument

CODE = {
    suffix: language
    for language, suffixes in {
        "python": ".py .pyi", "go": ".go", "java": ".java", "javascript": ".js .mjs .cjs .jsx", "typescript": ".ts .tsx",
        "c": ".c .h", "cpp": ".cc .cpp .cxx .hpp .hh .hxx", "rust": ".rs", "ruby": ".rb", "csharp": ".cs", "php": ".php",
        "bash": ".sh .bash .zsh .ksh", "sql": ".sql", "hcl": ".tf .tfvars .hcl", "dockerfile": ".dockerfile",
        "kotlin": ".kt .kts", "scala": ".scala", "swift": ".swift", "lua": ".lua", "perl": ".pl .pm", "r": ".r",
        "powershell": ".ps1 .psm1", "groovy": ".groovy .gradle", "proto": ".proto", "css": ".css .scss .less",
        "makefile": ".mk", "jsonnet": ".jsonnet .libsonnet", "rego": ".rego", "promql": ".promql", "vue": ".vue",
    }.items()
    for suffix in suffixes.split()
}  # fmt: skip
NAMED_CODE = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "makefile",
    "jenkinsfile": "groovy",
    "vagrantfile": "ruby",
    "gemfile": "ruby",
}
_WORDS = (
    r"(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\([a-z]+\))?|unsafe|open|data|sealed)"
    r"\s+"
)
_DEFINES = re.compile(
    rf"^(?P<indent>[ \t]*)(?:{_WORDS})*"
    r"(?:def|class|func|fn|function|interface|struct|enum|trait|impl|module|namespace|type|object|resource|CREATE\s+\w+)\s+"
    r"(?:\([^)]*\)\s*)?[\"']?(?P<name>[A-Za-z_][\w.:\"' -]*?)[\"']?\s*(?:[(<{:=\[]|extends\b|implements\b|for\b|\(|AS\b|$)",
    re.M,
)
_SHELL = re.compile(r"^(?P<indent>[ \t]*)(?P<name>[A-Za-z_][\w-]*)\s*\(\)\s*\{?", re.M)
_DEEPEST = 8


def load_text(text: str, name: str) -> ParsedDocument:
    """Any other text: one section, lines as in the file."""
    return ParsedDocument(
        text=text,
        title=title_of(name),
        loader="text",
        sections=sections_of((), begin=0, end=len(text)),
        has_lines=True,
    )


def load_code(text: str, name: str) -> ParsedDocument:
    """Source code: a definition opens a section, nested by its indentation."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    suffix = "." + base.rsplit(".", 1)[-1] if "." in base else ""
    language = CODE.get(suffix) or NAMED_CODE.get(base, "text")
    pattern = _SHELL if language == "bash" else _DEFINES
    headings = []
    for match in pattern.finditer(text):
        width = len(match["indent"].expandtabs(4))
        if width <= _DEEPEST:
            headings.append(Heading(level=1 + width // 2, title=match["name"].strip(" \"'"), start=match.start()))
    return ParsedDocument(
        text=text,
        title=name.replace("\\", "/").rsplit("/", 1)[-1],
        loader="code",
        sections=sections_of(headings, begin=0, end=len(text)),
        has_lines=True,
        code_language=language,
    )
