"""The documentation says what is so: keys, commands, views, links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from collector import registry, schema
from collector.component import Host
from collector.config import load
from collector.registry import Kind
from exporters.clickhouse.views import view_statements
from processors.filter.fields import FIELDS
from processors.filter.functions import FUNCTIONS
from tests import reference
from tests.batches import spans

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()


def test_the_reference_is_what_the_config_classes_say():
    assert reference.PATH.read_text() == reference.text(), "run python -m tests.reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", page.read_text())]
    missing = [target for target in targets if target and ":" not in target and not (page.parent / target).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page):
    named = re.findall(r"`((?:collector|processors|exporters|tests|docs)/[\w/.-]+)`", page.read_text())

    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_view_is_in_the_readme_and_every_view_in_the_readme_exists():
    made = set(re.findall(r"CREATE OR REPLACE VIEW signoz_genai\.(\w+)", view_statements()))
    table = README[README.index("| view |") : README.index("```sql")]
    told = {name for cell in re.findall(r"^\| (.+?) \|", table, re.M) for name in re.findall(r"`(\w+)", cell)}

    assert told == made


def test_the_readme_names_every_dimension():
    assert [name for name in schema.ROLLUP_DIMENSIONS if f"`{name}`" not in README] == []


def test_every_key_of_the_shipped_configuration_is_explained_where_it_is_first_used():
    explained, above = set(), False
    for line in (ROOT / "config.yaml").read_text().splitlines():
        words, _, comment = line.partition("#")
        key = words.strip().partition(":")[0]
        if key:
            assert comment or above or key in explained, line
            explained.add(key)
        above = bool(comment) and not key


def test_ci_runs_the_test_command_of_the_readme():
    [command] = re.findall(r"\.venv/bin/(pytest.*)", README)

    assert f'"$venv/bin/{command.split()[0]}" {" ".join(command.split()[1:])}' in (ROOT / ".ci" / "run").read_text()


def test_the_first_span_of_the_readme_is_python():
    [code] = re.findall(r"```python\n(.*?)```", README, re.S)

    compile(code, "README.md", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_whole_configurations_on_a_page_are_valid(page):
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)
    environment = dict.fromkeys(re.findall(r"\$\{env:(\w+)", "".join(blocks)), "value")

    for block in blocks:
        if block.startswith("receivers:"):
            load([f"yaml:{block}"], [], environment)


def test_no_page_names_a_place_on_this_machine():
    assert [page.name for page in PAGES if re.search(r"/(work|root|home|tmp)/", page.read_text())] == []


EXAMPLES = [
    (id_, config or {})
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "processors.md").read_text(), re.S)
    for id_, config in yaml.safe_load(text)["processors"].items()
]


@pytest.mark.parametrize(("id_", "config"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_examples_of_processors_are_right(id_, config):
    registry.find(Kind.PROCESSORS, id_.split("/")[0]).Config.model_validate(config)


def test_the_example_of_a_processor_works_and_says_what_it_should():
    text = (ROOT / "docs" / "architecture.md").read_text()
    [code] = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "(Processor)" in code]
    made: dict = {"__name__": "example"}
    exec(compile(code, "example", "exec"), made)
    processor = made["HealthChecksProcessor"](made["HealthChecksConfig"](), Host("health_checks"))

    assert made["__doc__"]
    assert [batch.main["name"].to_pylist() for batch in processor.process(spans("a", "GET /healthz"))] == [["a"]]
    assert list(processor.process(spans("GET /healthz"))) == []


def test_every_property_and_function_of_conditions_is_explained():
    page = (ROOT / "docs" / "processors.md").read_text()
    words = [name for fields in FIELDS.values() for name in fields] + [*FUNCTIONS]
    told = [word for word in words if re.search(rf"\b{re.escape(word)}\b", page) or word.startswith("dropped_")]
    parts = {f"{name}_unix_nano" for name in ("observed_time",)} | {"kind.deprecated_string"}

    assert {word for word in words if word not in told and not word.endswith(".string")} <= parts


def test_every_decision_has_a_number_of_its_own_and_is_listed():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^(\d+)\. \[.+\]\((\d{4})-(.+\.md)\)$", (folder / "README.md").read_text(), re.M)
    titles = [re.match(r"# (\d+)\. ", path.read_text()) for path in sorted(folder.glob("0*.md"))]

    assert [f"{number}-{name}" for _, number, name in listed] == [path.name for path in sorted(folder.glob("0*.md"))]
    assert [int(number) for number, _, _ in listed] == [int(written) for _, written, _ in listed]
    assert [int(title[1]) for title in titles if title] == list(range(1, len(titles) + 1))


def test_every_page_is_reached_from_the_readme():
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in README] == []


def test_changes_are_announced_as_their_readme_says():
    kinds = "feature|change|fix|removal|security|docs"
    fragments = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]

    assert [name for name in fragments if not re.fullmatch(rf"[a-z0-9-]+\.({kinds})\.md", name)] == []


def said() -> Iterator[tuple[str, str]]:
    """Yield what the code logs and counts: ("log", line) and ("metric", a pattern of its name)."""
    for path in (
        path for package in ("collector", "processors", "exporters") for path in (ROOT / package).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            owner, verb = ast.unparse(node.func.value).split(".")[-1].strip("_"), node.func.attr
            first = node.args[0]
            if owner == "log" and verb in {"info", "warning", "error", "exception"} and isinstance(first, ast.Constant):
                yield "log", first.value
            elif owner == "metrics" and verb in {"count", "gauge"} and not isinstance(first, ast.Name):
                parts = first.values if isinstance(first, ast.JoinedStr) else [first]
                yield "metric", "".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts)


def test_every_log_line_and_metric_is_explained():
    page = (ROOT / "docs" / "operations.md").read_text()
    words = re.findall(r"`([^`\n]+)`", page)
    all_said = sorted(set(said()))

    assert {kind for kind, _ in all_said} == {"log", "metric"}
    assert [line for kind, line in all_said if kind == "log" and line not in words] == []
    assert [name for kind, name in all_said if kind == "metric" and not any(re.fullmatch(name, w) for w in words)] == []
