"""What is shipped: one wheel with all five packages and their data, no torch by default, nothing private."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from patience import PATIENCE_S

import agents

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the working tree."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        timeout=PATIENCE_S,
    )
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_all_five_packages_and_their_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for package in ("devops_chatbot", "agents", "knowledge", "sandbox", "webui"):
        assert f"{package}/__init__.py" in names
    tracked = subprocess.run(
        ["git", "-c", "core.quotepath=off", "ls-files", "devops_chatbot", "agents", "knowledge", "sandbox", "webui"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    assert set(tracked) <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_agents_is_our_package() -> None:
    assert Path(agents.__file__ or "").parent == ROOT / "agents"


def test_the_default_installation_has_no_torch() -> None:
    default = (ROOT / "requirements/default.txt").read_text("utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==", default, re.M))
    assert locked.isdisjoint({"torch", "sentence-transformers", "transformers", "openai-agents"})
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[\s<>=\[;]", requirement)[0] for requirement in wanted}
    assert names <= locked, "requirements/default.txt is older than pyproject.toml: run `make lock`"


def test_the_locks_are_what_pyproject_asks_for() -> None:
    """Also when somebody raised a bound and did not lock anew, or locked to versions that the bounds forbid."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = [one for extra in project["project"]["optional-dependencies"].values() for one in extra]
    product = project["project"]["dependencies"]
    for lock, wanted in (("default", product), ("dev", [*product, *extras, *project["dependency-groups"]["dev"]])):
        text = (ROOT / f"requirements/{lock}.txt").read_text("utf-8")
        locked = {
            canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M)
        }
        requirements = [Requirement(each) for each in wanted]
        assert len(requirements) > 20
        refused = {
            str(each): locked.get(canonicalize_name(each.name))
            for each in requirements
            if not each.specifier.contains(locked.get(canonicalize_name(each.name), "0"), prereleases=True)
        }
        assert refused == {}, f"requirements/{lock}.txt does not fit pyproject.toml: run `make lock`"
        missing = [each.name for each in requirements if canonicalize_name(each.name) not in locked]
        assert missing == [], f"requirements/{lock}.txt is older than pyproject.toml: run `make lock`"


def test_both_locks_agree() -> None:
    pins = [
        dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / f"requirements/{name}.txt").read_text("utf-8"), re.M))
        for name in ("default", "dev")
    ]
    assert {
        name: (version, pins[1].get(name)) for name, version in pins[0].items() if pins[1].get(name) != version
    } == {}


def test_every_locked_package_has_a_hash() -> None:
    for name in ("default", "dev"):
        entries = re.split(r"\n(?=\S)", (ROOT / f"requirements/{name}.txt").read_text("utf-8").strip())
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries)


def test_the_repository_names_no_registry_and_no_path_of_a_machine() -> None:
    command = ["git", "-c", "core.quotepath=off", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    private = re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|repo1?\.maven|deb\.debian\.org|/root/|/work/(main|shared)"
    )
    for name in filter(None, listed):
        path = ROOT / name
        if path.suffix in {".png", ".pdf", ".zip"} or path == Path(__file__) or not path.exists():
            continue
        found = private.search(path.read_text("utf-8", errors="replace"))
        assert not found, f"{name} names {found and found.group()}"


HEAVY = ("torch", "chromadb", "onnxruntime", "tantivy", "ladybug", "dbos", "langchain_openai", "pandas", "streamlit")


@pytest.mark.parametrize("module", ["devops_chatbot.cli", "devops_chatbot.client", "devops_chatbot.bootstrap"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout
    assert out.strip() == "[]"
