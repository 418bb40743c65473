"""The formats of files, told by their names: one list for the loaders, the checks of uploads, answers and pages.

A format is written in one of five shapes: `marked` up text, `paged` text, `prose`, `code`, or `lines`, which are records and
settings that mean nothing when they run together.
"""

import re
from collections.abc import Mapping
from typing import Literal

Shape = Literal["marked", "paged", "prose", "code", "lines"]


def _by_suffix(languages: Mapping[str, str]) -> dict[str, str]:
    return {suffix: language for language, suffixes in languages.items() for suffix in suffixes.split()}


MARKDOWN = frozenset(".md .markdown .mdown .mkd .mdx .qmd .rmd".split())
RST = frozenset(".rst .rest".split())
HTML = frozenset(".html .htm .xhtml".split())
PDF = frozenset({".pdf"})
PROSE = frozenset(".txt .text .adoc .asciidoc .org .tex .srt .wiki".split())
PROSE_NAMES = frozenset(
    "readme license licence notice changelog authors contributing todo copying install news".split()
)
CODE = _by_suffix(
    {
        "python": ".py .pyi .pyx", "go": ".go", "java": ".java", "javascript": ".js .mjs .cjs .jsx .pac",
        "typescript": ".ts .tsx .mts", "c": ".c .h", "cpp": ".cc .cpp .cxx .hpp .hh .hxx", "rust": ".rs",
        "ruby": ".rb .rake .gemspec", "csharp": ".cs", "php": ".php", "bash": ".sh .bash .zsh .ksh .bats .fish",
        "sql": ".sql", "hcl": ".tf .tfvars .hcl .nomad", "dockerfile": ".dockerfile", "kotlin": ".kt .kts",
        "scala": ".scala", "swift": ".swift", "lua": ".lua", "perl": ".pl .pm", "r": ".r", "bat": ".bat .cmd",
        "powershell": ".ps1 .psm1", "groovy": ".groovy .gradle", "protobuf": ".proto", "css": ".css .scss .less",
        "makefile": ".mk .mak", "cmake": ".cmake", "jsonnet": ".jsonnet .libsonnet", "rego": ".rego",
        "promql": ".promql", "vue": ".vue", "svelte": ".svelte", "elixir": ".ex .exs", "erlang": ".erl",
        "haskell": ".hs", "dart": ".dart", "clojure": ".clj", "julia": ".jl", "objective-c": ".m",
        "graphql": ".graphql .gql", "nix": ".nix", "starlark": ".bzl .star", "jinja": ".j2 .tpl .tmpl .gotmpl",
        "bicep": ".bicep", "cue": ".cue", "puppet": ".pp", "zig": ".zig", "vcl": ".vcl",
    }
)  # fmt: skip
CODE_NAMES = {
    "dockerfile": "dockerfile", "containerfile": "dockerfile", "makefile": "makefile", "gnumakefile": "makefile",
    "jenkinsfile": "groovy", "vagrantfile": "ruby", "gemfile": "ruby", "rakefile": "ruby", "cmakelists.txt": "cmake",
    "tiltfile": "starlark", "justfile": "makefile", "procfile": "yaml", "caddyfile": "nginx", "corefile": "nginx",
}  # fmt: skip
LINES = _by_suffix(
    {
        "yaml": ".yaml .yml .rules .alerts .sls", "json": ".json .json5 .tfstate .avsc .har .geojson",
        "toml": ".toml", "xml": ".xml .xsd .wsdl .plist .pom .csproj", "diff": ".diff .patch",
        "csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl .ndjson", "log": ".log .out .err .trace .syslog",
        "ini": (
            ".ini .cfg .conf .cnf .cf .config .properties .env .editorconfig .desktop .repo .nmconnection .prefs .service .timer "
            ".socket .mount .automount .path .target .slice .swap .network .netdev .link .container .pod .kube .volume"
        ),
        "text": ".cron .crontab .hosts .fstab .list .lst .prom .iptables .ipset .nft .zone .ldif .lock .mod .sum .sudoers",
    }
)  # fmt: skip
LINES_NAMES = {
    **dict.fromkeys(
        "crontab anacrontab hosts hosts.allow hosts.deny fstab mtab exports passwd group sudoers services protocols networks "
        "known_hosts authorized_keys aliases inventory codeowners motd sources.list modules requirements.txt constraints.txt "
        "go.mod go.sum".split(),
        "text",
    ),
    **dict.fromkeys("messages syslog dmesg secure access_log error_log catalina.out nohup.out".split(), "log"),
    "pipfile": "toml", "sshd_config": "text", "ssh_config": "text",
}  # fmt: skip
RECORDS = frozenset({"csv", "tsv", "jsonl", "log", "text"})
"""Languages of which each line says something by itself."""
UNREADABLE = {
    ".ipynb": ("Markdown", "HTML"),
    ".rtf": ("PDF", "HTML"),
    ".doc": ("PDF",),
    ".docx": ("PDF", "Markdown"),
    ".pptx": ("PDF",),
    ".xlsx": ("CSV",),
    ".odt": ("PDF", "HTML"),
    ".epub": ("HTML", "PDF"),
}
"""Formats that would come out as markup or not at all without a loader of their own, and those that they can be saved as."""

_COPY = re.compile(
    r"(?<=.)[.~_-](?:\d{1,10}|\d{4}-\d{2}-\d{2}|bak|old|orig|save|sample|example|dist|default|template|new|rpmnew|rpmsave)$"
)
"""What a name ends in that was rotated or kept: `app.log.1`, `nginx.conf.example`."""
_SETTING = re.compile(r"[ \t]*[\w.\[\]/-]+[ \t]*[=:](?!//)")
_FIELDS = re.compile(
    r"[ \t]*(?:@(?:reboot|hourly|daily|weekly|monthly|yearly|annually)\b|(?:[\d*/,-]+[ \t]+){4}\S"  # of a crontab
    r"|(?:(?:\d{1,3}\.){3}\d{1,3}|[\da-fA-F]*:[\da-fA-F:]*:[\da-fA-F:]*)(?:/\d+)?[ \t]+\S"  # of hosts
    r"|\d{4}-\d\d-\d\d[T ])"  # of a log
)
_APART = re.compile(r"[^\s.!?:。！？：](?:\t| {2,})\S")
_SENTENCE = re.compile(r"[.!?。！？:：](?:[\"')*_]*)$")
_MOSTLY = 0.7
_ENOUGH = 2
_LONGEST = 400_000


def base_of(name: str) -> str:
    """A file's name without folders, in lower case, and without what marks it as a copy."""
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    while base not in CODE_NAMES and base not in LINES_NAMES and (shorter := _COPY.sub("", base)) != base:
        base = shorter
    return base


def suffix_of(name: str) -> str:
    """The ending of such a name with its dot; empty without one."""
    stem, dot, ending = base_of(name).rpartition(".")
    return dot + ending if dot and (stem or ending) else ""


def language_of_file(name: str, text: str = "") -> str | None:
    """The language of source code, data or settings; None for a document. Where the name does not tell, the lines of `text` do:
    a list of settings or of fields is `text` by lines.
    """
    base, suffix = base_of(name), suffix_of(name)
    known = CODE_NAMES.get(base) or LINES_NAMES.get(base) or CODE.get(suffix) or LINES.get(suffix)
    if known or suffix in MARKDOWN | RST | HTML | PDF or base in PROSE_NAMES:
        return known
    return "text" if is_records(text) else None


def is_code(name: str) -> bool:
    base = base_of(name)
    return base in CODE_NAMES or base.startswith("dockerfile.") or (base not in LINES_NAMES and suffix_of(name) in CODE)


def shape_of(name: str, text: str = "") -> Shape:
    """How a file is shown and quoted."""
    suffix = suffix_of(name)
    if suffix in MARKDOWN | RST | HTML:
        return "marked"
    if suffix in PDF:
        return "paged"
    if language_of_file(name, text) is None:
        return "prose"
    return "code" if is_code(name) else "lines"


def is_records(text: str) -> bool:
    """Whether the lines of a text are settings, or fields beside each other, and no running text."""
    lines = [
        line for line in text[:_LONGEST].split("\n") if line.strip() and not line.lstrip().startswith(("#", ";", "//"))
    ]
    if len(lines) < _ENOUGH:
        return False
    told = sum(
        1
        for line in lines
        if (_SETTING.match(line) or _FIELDS.match(line) or _APART.search(line.strip()))
        and not _SENTENCE.search(line.rstrip())
    )
    return told >= _MOSTLY * len(lines)
