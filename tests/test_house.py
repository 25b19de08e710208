"""The house rules: which way imports go, how long things are, what nothing is called."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("collector", "processors", "exporters")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FORBIDDEN = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
ids = [str(path.relative_to(ROOT)) for path in FILES]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write the import from the top"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.name}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_one_way(path):
    mine = module_name(path).split(".")[0]
    allowed = {
        "collector": {"collector"},
        "processors": {"collector", "processors"},
        "exporters": {"collector", "exporters"},
    }

    wrong = [name for name in imports(path) if name.split(".")[0] in set(PACKAGES) - allowed[mine]]

    assert wrong == []


def test_there_are_no_import_cycles():
    graph = {name: {target for target in imports(path) if target in MODULES} for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def component_folders() -> set[str]:
    """Return the names of our components, but for those that are also a log level or a scheme."""
    parts = (path.stem for package in ("processors", "exporters") for path in (ROOT / package).iterdir())
    return set(parts) - {"__init__", "__pycache__", "debug", "file"}


def test_the_engine_knows_no_component_by_name():
    known = component_folders()
    named = [
        f"{path.name}: {node.value!r}"
        for path in FILES
        if path.is_relative_to(ROOT / "collector")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in known
    ]

    assert named == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


def test_functions_are_short():
    lengths = [(length, name) for path in FILES for name, length in functions(path)]
    long = sorted(entry for entry in lengths if entry[0] > 50)
    over = [length for length, _ in lengths if length > 35]

    assert long == []
    assert len(over) <= 0.05 * len(lengths)


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_nothing_is_named_after_nothing(path):
    assert not FORBIDDEN & set(module_name(path).split("."))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_every_module_says_what_it_is_for(path):
    text = ast.get_docstring(ast.parse(path.read_text()))

    assert text or not path.read_text().strip()


def test_every_test_folder_mirrors_a_package():
    mirrored = [ROOT / "tests" / package for package in PACKAGES]
    strays = [
        str(path.relative_to(ROOT))
        for folder in mirrored
        for path in folder.rglob("test_*.py")
        if not _mirrors(path.relative_to(ROOT / "tests"))
    ]

    assert strays == []


def _mirrors(path: Path) -> bool:
    """Say whether the tested thing exists: its module, its folder, or the folder the test lies in."""
    target = ROOT / path.parent / path.stem.removeprefix("test_")
    return target.with_suffix(".py").exists() or target.is_dir() or (ROOT / path.parent).is_dir()


def test_top_level_holds_what_was_agreed():
    agreed = {"pyproject.toml", "collector", "processors", "exporters", "config.yaml", "tests", "deploy", "README.md"}
    expected_by_tools = {
        ".ci", ".git", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "changelog.d", "docs", "requirements.lock",
        "build", "data", "genai_collector.egg-info",
    }  # fmt: skip
    found = {
        path.name for path in ROOT.iterdir() if not path.name.startswith(".") or path.name in {".ci", ".gitignore"}
    }

    assert found <= agreed | expected_by_tools


def test_changes_are_told_in_fragments():
    kinds = {"feature", "change", "fix", "removal", "security", "docs"}
    wrong = [
        path.name
        for path in (ROOT / "changelog.d").iterdir()
        if path.name != "README.md" and (len(path.name.split(".")) != 3 or path.name.split(".")[1] not in kinds)
    ]

    assert wrong == []


def test_the_engine_has_a_map():
    text = (ROOT / "docs/architecture.md").read_text()
    words = set(text[text.index("\ncollector/ ") : text.index("\nprocessors/ ")].replace("/", " ").split())
    parts = {path.stem for path in (ROOT / "collector").glob("[!_]*") if path.is_dir() or path.suffix == ".py"}

    assert parts - words == set(), "say on the map at the end of docs/architecture.md what it is for"
