"""What deploy/ holds fits the program: files that exist, ports that are listened on, configurations that are valid."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.config import load
from collector.errors import ConfigError

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OBJECTS = {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes" / "genai-collector.yaml").read_text())}
CONTAINER = OBJECTS["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]
UNIT = DEPLOY / "systemd" / "genai-collector.service"
FILES = [str(ROOT / "config.yaml"), str(DEPLOY / "container.yaml")]


def instructions(word: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return re.findall(rf"^{word} (.+)$", joined, re.M)


def container_ports(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Return the ports that the configuration of a container listens on."""
    configuration = load(FILES)
    protocols = configuration.receivers["otlp"].config.protocols
    endpoints = [protocols.grpc.endpoint, protocols.http.endpoint, configuration.telemetry.metrics.address]
    endpoints += [configuration.extensions[id_].config.endpoint for id_ in configuration.service_extensions]
    return {int(endpoint.rpartition(":")[2]) for endpoint in endpoints}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CLICKHOUSE_DSN": "clickhouse://a:b@c:8123"},
        {"CLICKHOUSE_DSN": "clickhouse://c", "CLICKHOUSE_SCHEMA": "attach"},
    ],
)
def test_the_configuration_of_the_container_is_valid(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    configuration = load(FILES)
    exporter = configuration.exporters["clickhouse"].config

    assert configuration.warnings == ()
    assert exporter.sending_queue.directory.startswith("/var/lib/genai-collector/")
    assert exporter.dsn.get_secret_value() == environment.get(
        "CLICKHOUSE_DSN", "chdb:///var/lib/genai-collector/clickhouse"
    )
    assert exporter.tables == environment.get("CLICKHOUSE_SCHEMA", "create")


def test_the_image_copies_what_there_is_and_nothing_else_is_sent():
    sources = [source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]]
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert sorted(sources) == sorted(sent)


def test_the_image_runs_as_a_user_without_rights():
    assert instructions("USER") == ["10001:10001"]
    assert instructions("VOLUME") == ["/var/lib/genai-collector"]
    assert OBJECTS["StatefulSet"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001


def test_every_stage_that_is_named_exists():
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.M))
    used = set(re.findall(r"--from=(\S+)", DOCKERFILE)) | {
        service["build"]["target"] for service in COMPOSE["services"].values() if "build" in service
    }

    assert used <= stages
    assert {"plain", "embedded"} <= stages


def test_ports_are_those_of_the_configuration(monkeypatch):
    listening = container_ports(monkeypatch)
    exposed = {int(port) for line in instructions("EXPOSE") for port in line.split()}
    named = {port["containerPort"] for port in CONTAINER["ports"]}
    published = {int(port.split(":")[1]) for port in COMPOSE["x-collector"]["ports"]}

    assert listening <= exposed
    assert named <= listening
    assert published <= listening
    targets = {port["targetPort"] for port in OBJECTS["Service"]["spec"]["ports"]}
    assert targets <= {port["name"] for port in CONTAINER["ports"]}


def test_the_embedded_clickhouse_can_be_queried_from_this_machine_alone(monkeypatch):
    alone = COMPOSE["services"]["alone"]
    for name, value in alone["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*)\}", r"\1", value))
    config = load(FILES).extensions["clickhouse_http"].config

    assert config.endpoint == "0.0.0.0:8123"
    assert config.password.get_secret_value() == "change-me"
    assert set(alone["ports"]) == {*COMPOSE["x-collector"]["ports"], "127.0.0.1:8123:8123"}
    assert (
        f"curl -u default:{config.password.get_secret_value()} localhost:8123" in (DEPLOY / "compose.yaml").read_text()
    )


def test_the_container_offers_queries_to_nobody_else_until_told(monkeypatch):
    assert load(FILES).extensions["clickhouse_http"].config.endpoint == "localhost:8123"
    monkeypatch.setenv("QUERY_ENDPOINT", "0.0.0.0:8123")
    with pytest.raises(ConfigError, match="set a password"):
        load(FILES)


def test_what_is_published_is_published_on_this_machine_only():
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_unit_says_how_to_install_what_is_not_on_pypi():
    assert "install 'genai-collector" not in UNIT.read_text()
    assert "pip install -c requirements.lock '.[embedded]'" in UNIT.read_text()


@pytest.mark.parametrize("service", [name for name, one in COMPOSE["services"].items() if "build" in one])
def test_compose_keeps_the_data_and_gives_time_to_deliver(service: str):
    told: dict[str, Any] = COMPOSE["services"][service]

    assert told["volumes"] == ["collector-data:/var/lib/genai-collector"]
    assert told["read_only"] and told["cap_drop"] == ["ALL"]
    assert told["stop_grace_period"] == "40s"
    assert (DEPLOY / told["build"]["context"] / told["build"]["dockerfile"]).is_file()


def test_the_stateful_set_keeps_its_volume_and_its_service():
    spec = OBJECTS["StatefulSet"]["spec"]
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}

    assert spec["serviceName"] == OBJECTS["Service"]["metadata"]["name"]
    assert spec["selector"]["matchLabels"] == OBJECTS["Service"]["spec"]["selector"]
    assert {mounts[name] for name in claims} == {"/var/lib/genai-collector"}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 40


def test_the_unit_says_what_systemd_needs():
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)

    assert parser["Service"]["ExecStart"].split()[1:] == ["--config", "/etc/genai-collector/config.yaml"]
    assert parser["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert parser["Service"]["WorkingDirectory"] == "/var/lib/" + parser["Service"]["StateDirectory"]
    assert parser["Service"]["ProtectSystem"] == "strict"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, and there is none")
def test_systemd_understands_the_unit(tmp_path):
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text()))
    told = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert [line for line in told.stderr.splitlines() if UNIT.name in line] == []


def test_compose_understands_the_file():
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs docker compose, and there is none")
    command = [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "--profile", "*", "config", "--quiet"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (told.returncode, told.stderr) == (0, "")
