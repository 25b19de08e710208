"""collector/registry.py: components found by the names that packages declare."""

import subprocess
import sys

import pytest

from collector import registry
from collector.registry import BrokenComponentError, Kind, UnknownComponentError
from tests.collector.config.toys import HERE, ToyExporter, ToyReceiver, install, installed


@pytest.fixture
def site(tmp_path):
    install(tmp_path)
    with installed(tmp_path):
        yield tmp_path


def test_components_of_other_packages_are_found_like_ours(site):
    assert {"otlp", "toy_in"} <= set(registry.names(Kind.RECEIVERS))
    assert registry.find(Kind.RECEIVERS, "toy_in") is ToyReceiver
    assert registry.find(Kind.EXPORTERS, "toy_out") is ToyExporter
    assert registry.module(Kind.RECEIVERS, "toy_in") == HERE


@pytest.mark.parametrize("kind", Kind)
def test_every_declared_component_of_ours_loads(kind):
    for name in registry.names(kind):
        assert issubclass(registry.find(kind, name), registry.BASES[kind])


def test_an_unknown_type_names_the_known_ones(site):
    with pytest.raises(UnknownComponentError, match='unknown receiver type "toy_out"') as caught:
        registry.find(Kind.RECEIVERS, "toy_out")

    assert caught.value.known == registry.names(Kind.RECEIVERS)


def test_nothing_is_imported_before_it_is_named():
    code = """
import sys
from collector import registry
from collector.registry import Kind
for kind in Kind:
    registry.names(kind)
assert not any(name.split(".")[0] in {"exporters", "processors", "chdb", "grpc"} for name in sys.modules)
registry.find(Kind.PROCESSORS, "genai")
assert "processors.genai" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("target", "metadata", "message"),
    [
        (
            "absent_module:X",
            "",
            "needs the module absent_module; it comes from package odd 1.0; reinstall or upgrade that",
        ),
        ("toy_needy:X", "", "needs the module absent_library; install the package that provides absent_library"),
        ("toy_needy:X [speed]", "", 'needs the module absent_library; run: pip install "odd[speed]"'),
        (
            "toy_needy:X",
            'Provides-Extra: fast\nRequires-Dist: absent_library>=1; extra == "fast"\n',
            'needs the module absent_library; run: pip install "odd[fast]"',
        ),
        (
            f"{HERE}:NoComponent",
            "",
            f"is no collector.component.Exporter: {HERE}:NoComponent; it comes from package odd 1.0",
        ),
        (
            f"{HERE}:ToyReceiver",
            "",
            f"is no collector.component.Exporter: {HERE}:ToyReceiver; it comes from package odd 1.0",
        ),
        (
            f"{HERE}:Absent",
            "",
            "cannot be loaded: AttributeError: module 'tests.collector.config.toys' has no attribute",
        ),
    ],
)
def test_what_cannot_be_loaded_says_what_to_install(tmp_path, target, metadata, message):
    (tmp_path / "toy_needy.py").write_text("import absent_library\n")
    install(tmp_path, f"[genai_collector.exporters]\nodd = {target}\n", "odd", metadata)

    with installed(tmp_path), pytest.raises(BrokenComponentError) as caught:
        registry.find(Kind.EXPORTERS, "odd")

    assert f'exporter "odd" {message}' in str(caught.value)
    sys.modules.pop("toy_needy", None)


def test_two_packages_cannot_claim_one_name(tmp_path):
    for name in ("one", "two"):
        install(tmp_path, f"[genai_collector.exporters]\nodd = {name}:X\n", name)

    with installed(tmp_path), pytest.raises(BrokenComponentError, match="declared more than once: one:X, two:X"):
        registry.find(Kind.EXPORTERS, "odd")
