"""collector/config/render.py: configurations written back."""

import json

from collector.config import load, render
from tests.collector.config.toys import GOOD

SECRETS = """yaml:
receivers: {toy_in: {protocols: {http: {endpoint: "a:1"}}}}
exporters:
  toy_out: {dsn: "clickhouse://me:hunter2@host", password: hunter2, api_key: hunter2, headers: {x: hunter2}}
"""


def test_defaults_are_written_and_durations_as_users_write_them():
    written = render(load([f"yaml:{GOOD}"]))

    assert list(written) == ["receivers", "processors", "exporters", "extensions", "service"]
    assert written["receivers"] == {"toy_in": {"protocols": {}, "timeout": "1m30s"}}
    assert written["exporters"]["toy_out"]["timeout"] == "30s"
    assert written["exporters"]["toy_out"]["password"] == ""
    assert written["service"]["pipelines"] == {
        "traces": {"receivers": ["toy_in"], "processors": [], "exporters": ["toy_out"]}
    }
    assert written["service"]["telemetry"]["logs"] == {"level": "info", "encoding": "console"}


def test_secrets_are_hidden_unless_asked_for():
    loaded = load([f"yaml:{GOOD}", SECRETS])

    hidden, shown = render(loaded), render(loaded, unredacted=True)

    assert "hunter2" not in json.dumps(hidden)
    assert hidden["exporters"]["toy_out"]["dsn"] == "clickhouse://me:[REDACTED]@host"
    assert json.dumps(shown).count("hunter2") == 4


def test_what_was_written_can_be_loaded_again():
    loaded = load([f"yaml:{GOOD}", SECRETS])

    again = load([f"yaml:{json.dumps(render(loaded, unredacted=True))}"])

    assert again == loaded


def test_a_protocol_that_is_off_stays_off():
    written = render(load([f"yaml:{GOOD}", SECRETS]))

    assert written["receivers"]["toy_in"]["protocols"] == {"http": {"endpoint": "a:1", "max_size_mib": 4}}
