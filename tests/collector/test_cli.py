"""collector/cli.py: the command line."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from collector import life
from collector.cli import main
from tests.collector.config.toys import GOOD, HERE, install, installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def site(tmp_path_factory):
    folder = install(tmp_path_factory.mktemp("site"))
    with installed(folder):
        yield folder


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


@pytest.fixture
def ran(monkeypatch):
    """The configurations that would have been run; running itself is tested where processes are."""
    configurations = []

    class Ran:
        def __init__(self, configuration, reread):
            configurations.append(configuration)

        def run(self):
            return 0

    monkeypatch.setattr(life, "Life", Ran)
    monkeypatch.setattr(life, "leave", sys.exit)
    return configurations


def run(*arguments):
    return CliRunner().invoke(main, arguments, prog_name="genai-collector")


def test_validate_is_silent_about_a_good_configuration(good):
    result = run("validate", "--config", good)

    assert (result.exit_code, result.output) == (0, "")


def test_mistakes_are_told_one_in_a_line_and_nothing_starts(good, ran):
    for arguments in (["validate"], ["print-config"], []):
        result = run("--config", good, "--set", "exporters.toy_out.port=x", "--set", "servise={}", *arguments)

        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            '--set exporters.toy_out.port=x: exporters::toy_out::port: must be a whole number, not "x"',
            '--set servise={}: servise: unknown key; did you mean "service"?',
        ]
    assert ran == []


def test_files_that_cannot_be_read_are_told_before_anything_starts(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pem").write_text("x")
    (tmp_path / "own.yaml").write_text("general: [team]")
    (tmp_path / "config.yaml").write_text(
        """receivers:
  otlp: {protocols: {http: {tls: {cert_file: here.pem, key_file: key.pem}}}}
processors:
  cost:
    prices:
      - prices.yaml
  genai: {mapping_files: [own.yaml, .]}
exporters:
  otlp: {endpoint: "localhost:1", tls: {ca_file: ca.pem}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp]}}}
"""
    )
    missing, start, otlp = "No such file or directory", f"paths start from {tmp_path}", "receivers::otlp::protocols"
    for arguments in (["validate"], []):
        result = run("--config", "config.yaml", *arguments)

        assert result.exit_code == 2
        assert result.stderr.splitlines() == [
            f"config.yaml:2:66: {otlp}::http::tls::key_file: cannot read key.pem: {missing}; {start}",
            f"config.yaml:6:9: processors::cost::prices::0: cannot read prices.yaml: {missing}; {start}",
            f"config.yaml:7:37: processors::genai::mapping_files::1: cannot read .: Is a directory; {start}",
            f"config.yaml:9:50: exporters::otlp::tls::ca_file: cannot read ca.pem: {missing}; {start}",
        ]
    assert ran == []
    assert run("--config", "config.yaml", "print-config").exit_code == 0


def test_an_outbox_that_cannot_be_written_is_told_before_anything_starts(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    (tmp_path / "config.yaml").write_text(
        """receivers: {otlp: {protocols: {http: }}}
exporters:
  otlp: {endpoint: "localhost:1", sending_queue: {directory: taken/outbox}}
  otlp/unused: {endpoint: "localhost:1", sending_queue: {directory: taken}}
  otlp/memory: {endpoint: "localhost:1", sending_queue: {directory: taken, storage: memory}}
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp, otlp/memory]}}}
"""
    )
    for arguments in (["validate"], []):
        result = run("--config", "config.yaml", *arguments)

        assert result.exit_code == 2
        assert result.stderr == (
            "config.yaml:3:62: exporters::otlp::sending_queue::directory: taken is no folder;"
            " let this user write there, or name another folder for the outbox\n"
        )
    assert ran == []
    assert run("--config", "config.yaml", "print-config").exit_code == 0


def test_mistakes_in_files_that_are_named_are_told_before_anything_starts(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.yaml").write_text("prices:\n  - {modl: a, input: 1}\n")
    (tmp_path / "own.yaml").write_text("- x")
    (tmp_path / "config.yaml").write_text(
        """receivers: {otlp: {protocols: {http: }}}
processors:
  cost: {prices: [prices.yaml]}
  genai: {mapping_files: [own.yaml]}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""
    )
    for arguments in (["validate"], []):
        result = run("--config", "config.yaml", *arguments)

        assert result.exit_code == 2
        prices, own = result.stderr.splitlines()
        where = "config.yaml:3:19: processors::cost::prices::0: prices.yaml:2:"
        assert prices.startswith(f"{where}5: prices::0::model: is required; ")
        assert 'prices.yaml:2:6: prices::0::modl: unknown key; did you mean "model"?' in prices
        assert own.startswith("config.yaml:4:27: processors::genai::mapping_files::0: own.yaml:1:1: must be a map")
    assert ran == []


def test_a_good_configuration_is_run(good, ran):
    result = run(
        "--config", good, "--config", "yaml:receivers::toy_in::timeout: 3s", "--set", "exporters.toy_out.dsn=x"
    )

    assert (result.exit_code, result.output) == (0, "")
    assert ran[0].receivers["toy_in"].config.timeout == 3.0
    assert ran[0].exporters["toy_out"].config.dsn == "x"


def test_the_exit_code_is_that_of_the_run(good, ran, monkeypatch):
    monkeypatch.setattr(life.Life, "run", lambda self: 1)

    assert run("--config", good).exit_code == 1


def test_a_bug_is_one_line_and_the_stack_comes_with_debug(good, ran, monkeypatch):
    def fail(self):
        raise RuntimeError("the\nreason")

    monkeypatch.setattr(life.Life, "run", fail)

    result = run("--config", good)
    told = run("--config", good, "--set", "service.telemetry.logs.level=debug")

    assert (result.exit_code, result.stderr) == (1, "genai-collector: RuntimeError: the reason\n")
    assert told.exit_code == 1
    assert "Traceback" in told.stderr


@pytest.mark.parametrize("arguments", [[], ["validate"], ["print-config"]])
def test_without_a_configuration_it_says_what_to_do(arguments):
    result = run(*arguments)

    assert result.exit_code == 2
    assert "at least one config flag must be provided; try: genai-collector --config config.yaml" in result.stderr


def test_options_work_before_and_behind_the_command(good):
    before = run("--config", good, "--set", "exporters.toy_out.port=7", "print-config")
    behind = run("print-config", "--config", good, "--set", "exporters.toy_out.port=7")
    both = run(
        "--config", good, "--set", "exporters.toy_out.port=6", "print-config", "--set", "exporters.toy_out.port=7"
    )

    assert yaml.safe_load(before.stdout)["exporters"]["toy_out"]["port"] == 7
    assert before.stdout == behind.stdout == both.stdout


def test_print_config_hides_secrets(good):
    arguments = ["print-config", "--config", good, "--set", "exporters.toy_out.password=hunter2"]

    redacted, unredacted = run(*arguments), run(*arguments, "--mode", "unredacted", "--format", "json")

    assert yaml.safe_load(redacted.stdout)["exporters"]["toy_out"]["password"] == "[REDACTED]"
    assert json.loads(unredacted.stdout)["exporters"]["toy_out"]["password"] == "hunter2"


def test_an_unset_variable_is_a_warning(good, monkeypatch):
    monkeypatch.delenv("NOTHING", raising=False)

    result = run("validate", "--config", good, "--set", "exporters.toy_out.api_key=${env:NOTHING}")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("warning: --set exporters.toy_out.api_key=")
    assert result.stderr.count("\n") == 1


def test_components_lists_what_is_installed(tmp_path):
    with installed(install(tmp_path, "[genai_collector.exporters]\ntoy_lost = nowhere:Lost\n", "lost")):
        listed = yaml.safe_load(run("components").stdout)

    assert listed["buildinfo"]["version"] == version("genai-collector")
    assert {"name": "toy_in", "module": "tests.collector.config.toys", "summary": "Takes nothing in."} in listed[
        "receivers"
    ]
    assert [each["problem"] for each in listed["exporters"] if each["name"] == "toy_lost"] == [
        'exporter "toy_lost" needs the module nowhere; it comes from package lost 1.0; reinstall or upgrade that'
    ]
    assert {"otlp"} <= {each["name"] for each in listed["receivers"]}


def test_commands_of_packages_are_found_and_get_the_configuration(good):
    arguments = ["toy-play", "say", "hello", "--loud", "--set", "exporters.toy_out/2={dsn: b}"]

    behind = run(*arguments, "--config", good)
    before = run("--config", good, *arguments)

    assert (behind.exit_code, behind.output) == (0, "toy_out memory:// HELLO\ntoy_out/2 b HELLO\n")
    assert before.output == behind.output
    assert "Plays with the toys." in run("--help").stdout
    assert run("toy-play", "say", "hello").exit_code == 2


def test_mistakes_and_refusals_within_a_command_are_lines(good):
    wrong = run("toy-play", "say", "hello", "--config", good, "--set", "servise={}")
    later = run("toy-play", "say", "later", "--config", good)

    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert (later.exit_code, later.stderr) == (1, "genai-collector: ask later\n")


def test_a_command_that_cannot_be_loaded_is_told_and_keeps_no_other_from_working(good, tmp_path):
    entries = f"[genai_collector.commands]\ntoy-lost = nowhere:lost\ntoy-odd = {HERE}:NoComponent\n"
    with installed(install(tmp_path / "site", entries, "lost")):
        lost, odd, shown = run("toy-lost", "--any", "x"), run("toy-odd"), run("--help")

        assert run("validate", "--config", good).exit_code == 0
    assert (lost.exit_code, lost.stderr.count("\n")) == (1, 1)
    assert 'command "toy-lost" needs the module nowhere; it comes from package lost 1.0' in lost.stderr
    assert 'command "toy-odd" is no click.Command' in odd.stderr
    assert "toy-lost" in shown.stdout


def test_version_and_help():
    assert run("--version").stdout == f"genai-collector version {version('genai-collector')}\n"
    assert "print-config" in run("-h").stdout
    assert run("nonsense").exit_code == 2


def test_as_a_process(site, tmp_path):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-m", "collector", "validate", "--config"]

    fine = subprocess.run([*command, f"yaml:{GOOD}"], env=environ, capture_output=True, text=True, check=False)
    wrong = subprocess.run(
        [*command, "lost.yaml"], env=environ, capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    assert wrong.returncode == 2
    assert wrong.stderr == f"lost.yaml: no such file: lost.yaml; paths start from {tmp_path}\n"


def test_a_reader_that_has_seen_enough_is_no_bug():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "collector", "components"]
    done = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    assert done.stderr == b""


def test_an_interrupt_while_the_program_is_loaded_prints_no_stack(tmp_path):
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "collector"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (130, "")
