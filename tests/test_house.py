"""The layout's promises: what the house says of itself is true."""

import ast
import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
FILES = [name for name in TRACKED if (ROOT / name).is_file()]
PYTHON = [name for name in FILES if name.endswith(".py")]
PURE = ["fledge/artifact/versioning.py", "fledge/judge/evalues.py", "fledge/reconcile/decision.py"]
PURE += [
    f"fledge/evidence/{name}.py" for name in ("__init__", "wording", "views", "details", "figures", "plots", "shapes")
]
PURE += ["fledge/differences.py"]
PURE += [f"fledge/artifact/compatibility/{name}.py" for name in ("__init__", "promises", "table")]
PURE += [name for name in PYTHON if name.startswith(("fledge/stats/", "fledge/rollout/", "fledge/checks/"))]
INPUT_OUTPUT = {"asyncio", "http", "os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "urllib"}
INPUT_OUTPUT |= {"aiohttp", "fsspec", "grpc", "requests", "starlette", "uvicorn"}


def imports(name: str) -> set[str]:
    """The modules that a file imports, whole names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("name", [name for name in PYTHON if name.startswith("fledge/")])
def test_the_library_imports_nothing_that_uses_it(name: str) -> None:
    """Arrows go one way: `fledge` imports neither scripts nor pipelines, models nor tests."""
    assert not {one for one in imports(name) if one.split(".")[0] in {"scripts", "pipelines", "models", "tests"}}


def test_no_two_packages_need_each_other() -> None:
    """A reader who starts at any module of the library gets to the bottom: its packages import each other in no circle."""
    needs: dict[str, set[str]] = {}
    for name in [name for name in PYTHON if name.startswith("fledge/") and name != "fledge/__init__.py"]:
        package = name.split("/")[1].removesuffix(".py")
        others = {parts[1] for parts in (one.split(".") for one in imports(name)) if parts[0] == "fledge" and parts[1:]}
        needs.setdefault(package, set()).update(others - {package})
    assert list(TopologicalSorter(needs).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_input_or_output(name: str) -> None:
    """Statistics, evidence, rollout and the judge's core import nothing that reads, writes or waits."""
    assert not {one for one in imports(name) if one.split(".")[0] in INPUT_OUTPUT}


def test_only_the_example_knows_its_subject() -> None:
    """Nothing outside models/delays knows flights: not the library, not the pipelines, not the manifests."""
    general = [name for name in FILES if name.startswith(("fledge/", "pipelines/", "manifests/", "tests/gates/"))]
    words = re.compile(r"flight|airport|dep_delay|arr_delay|models/delays|['\"]delays", re.IGNORECASE)
    knowing = {name: words.findall((ROOT / name).read_text()) for name in general if not name.endswith(".md")}
    assert {name: found for name, found in knowing.items() if found} == {}


def test_no_release_is_shipped() -> None:
    """The template ships no release, no rendered one and no dvc.lock: an artifact that only we hold would be a lie."""
    # What git keeps: who has trained has a dvc.lock of their own.
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert [name for name in kept if re.match(r"manifests/(releases|rendered/[^/]+)/", name)] == []
    assert "dvc.lock" not in kept


def test_every_verb_of_the_readme_exists() -> None:
    """Each `make …` in the README is a verb that `make` lists."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = {line.split()[0] for line in listed.splitlines()}
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= verbs


def test_the_first_green_comes_early() -> None:
    """A newcomer meets both commands before line 25 of the README."""
    head = "\n".join((ROOT / "README.md").read_text().splitlines()[:25])
    assert "make demo" in head
    assert "make test" in head


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Each relative link in the README is a file or folder of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_verb_has_its_script() -> None:
    """Each script that the Makefile calls is there."""
    called = re.findall(r"-m (scripts|pipelines)\.([a-z_]+)", (ROOT / "Makefile").read_text())
    missing = [
        f"{room}/{name}"
        for room, name in called
        if not ((ROOT / room / f"{name}.py").exists() or (ROOT / room / name).is_dir())
    ]
    assert missing == []


def test_no_registry_and_no_machine_is_named() -> None:
    """No file names a package registry's host or a path of somebody's machine."""
    hosts = re.compile(r"pypi\.org|pythonhosted|proxy\.golang|registry\.npmjs|/home/\w+/|/work/main")
    named = [name for name in FILES if name != "tests/test_house.py" and hosts.search(text_of(name))]
    assert named == []


def test_no_page_is_cited_that_is_not_here() -> None:
    """No file cites a page that the repository lacks: none of its design, and no page or recording that is not here."""
    elsewhere = re.compile(
        r"§ ?\d|\barchitecture(\.md|: )|delivery notes|serving[ -]contract|canary-statistics|real-controllers|"
        r"\b(style|tried)\.md|\btried: ",
        re.IGNORECASE,
    )
    texts = {name: text_of(name) for name in FILES if name != "tests/test_house.py"}
    assert [name for name, text in texts.items() if elsewhere.search(text)] == []
    own = re.compile(r"\bdocs/[\w/-]+\.md|\btests/traces/[\w-]+\.\w+")
    # Tests make pages of their own.
    cited = {page for name, text in texts.items() if not name.startswith("tests/") for page in own.findall(text)}
    assert [page for page in sorted(cited) if not (ROOT / page).is_file()] == []


def text_of(name: str) -> str:
    """The text of a file; nothing for one that is not text."""
    return (ROOT / name).read_bytes().decode(errors="ignore")


def test_the_library_is_never_newer_than_the_server() -> None:
    """The locked TensorFlow is of the same minor version as the serving image, or an older one."""
    locked = re.search(r"^tensorflow==(\d+)\.(\d+)", text_of("requirements.lock"), re.MULTILINE)
    image = re.search(r"tensorflow/serving:(\d+)\.(\d+)", text_of("project.yaml"))
    assert locked is not None
    assert image is not None
    assert tuple(map(int, locked.groups())) <= tuple(map(int, image.groups()))
