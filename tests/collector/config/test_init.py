"""collector/config/__init__.py: whole configurations, good and bad."""

from pathlib import Path

import pytest

from collector import registry
from collector.batch import Signal
from collector.config import load
from collector.errors import ConfigError
from collector.registry import Kind
from tests.collector.config.toys import GOOD, ToyExporter, ToyProcessor, ToyReceiver, install, installed

CASES = Path(__file__).parent / "cases"
ENVIRON = {"SET": "set", "WORD": "word"}


def mistakes(*sources, overrides=(), environ=None):
    with pytest.raises(ConfigError) as caught:
        load(sources, overrides, environ or {})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_bad_configurations_tell_every_mistake(case, monkeypatch):
    monkeypatch.chdir(CASES)

    told = mistakes(f"{case}.yaml", environ=ENVIRON)

    expected = (CASES / f"{case}.expected.txt").read_text("utf-8").splitlines()
    assert expected == [line.replace(str(CASES), "HERE") for line in told]


def test_a_configuration_becomes_specs():
    more = """
    receivers: {toy_in/b: {timeout: 2s}}
    processors: {toy_step: }
    extensions: {toy_watch: }
    service:
      extensions: [toy_watch]
      pipelines:
        traces: {processors: [toy_step]}
        metrics/b: {receivers: [toy_in, toy_in/b], exporters: [toy_out]}
      telemetry: {logs: {level: debug}}
    """

    loaded = load([f"yaml:{GOOD}", f"yaml:{more}"])

    assert loaded.receivers["toy_in"].cls is ToyReceiver
    assert loaded.receivers["toy_in"].kind is Kind.RECEIVERS
    assert (loaded.receivers["toy_in"].config.timeout, loaded.receivers["toy_in/b"].config.timeout) == (90.0, 2.0)
    assert loaded.exporters["toy_out"].cls is ToyExporter
    assert loaded.exporters["toy_out"].config.dsn == "memory://"
    assert list(loaded.pipelines) == ["traces", "metrics/b"]
    assert loaded.pipelines["traces"].processors == ("toy_step",)
    assert loaded.pipelines["metrics/b"].signal is Signal.METRICS
    assert loaded.pipelines["metrics/b"].receivers == ("toy_in", "toy_in/b")
    assert loaded.service_extensions == ("toy_watch",)
    assert loaded.telemetry.logs.level == "debug"
    assert loaded.telemetry.metrics.address == "localhost:8888"


@pytest.mark.parametrize("kind", Kind)
def test_an_unknown_type_lists_the_known_ones(kind):
    (told,) = mistakes(f"yaml:{GOOD}", overrides=[f"{kind.value}.zzzzzz={{}}"])

    assert told == (
        f'--set {kind.value}.zzzzzz={{}}: {kind.value}::zzzzzz: unknown {kind.one} type "zzzzzz"; '
        f"known {kind.value}: {', '.join(registry.names(kind))}"
    )


def test_later_sources_win_and_set_wins_over_all():
    loaded = load(
        [f"yaml:{GOOD}", "yaml:exporters::toy_out::dsn: second", "yaml:receivers::toy_in::timeout: 3s"],
        ["exporters.toy_out.dsn=third", "exporters.toy_out.port=7"],
    )

    assert (loaded.exporters["toy_out"].config.dsn, loaded.exporters["toy_out"].config.port) == ("third", 7)
    assert loaded.receivers["toy_in"].config.timeout == 3.0


def test_a_mistake_is_told_where_the_winning_value_stands(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(GOOD)
    second.write_text("exporters:\n  toy_out: {port: x}\n")

    assert mistakes(str(first), str(second)) == [
        f'{second}:2:19: exporters::toy_out::port: must be a whole number, not "x"'
    ]
    assert mistakes(str(first), str(second), overrides=["exporters.toy_out.port=[1]"]) == [
        "--set exporters.toy_out.port=[1]: exporters::toy_out::port: must be a whole number, not [1]"
    ]


def test_a_null_section_deletes_the_earlier_one():
    assert mistakes(f"yaml:{GOOD}", "yaml:receivers:") == [
        "yaml:1:1: no receiver configuration specified in config; add receivers: with at least one receiver",
        'yaml:3:44: service::pipelines::traces: references receiver "toy_in" which is not configured; '
        "configured receivers: none",
    ]


def test_null_means_the_default():
    body = "yaml:exporters: {toy_out: {port: , timeout: , sending_queue: {batch: , queue_size: }}}"
    doors = "yaml:receivers: {toy_in: {protocols: {grpc: }}}"

    loaded = load([f"yaml:{GOOD}", body, doors])

    config, protocols = loaded.exporters["toy_out"].config, loaded.receivers["toy_in"].config.protocols
    assert (config.port, config.timeout, config.sending_queue.batch.min_size) == (None, 30.0, 16_384)
    assert protocols.grpc is not None
    assert protocols.http is None


@pytest.mark.parametrize(
    "text",
    ["a: b", "- x", "[1,2]", "{a: 1}", "{a: 1, a: 2}", "# x", "&a", "*a", "!x y", "a$$b", "${env:WORD}", "$${x}", "${"],
)
def test_a_password_is_whatever_its_variable_holds(text):
    body = "yaml:{exporters: {toy_out: {dsn: '${env:PW}', api_key: '${env:PW}', headers: {key: '${env:PW}'}}}}"

    config = load([f"yaml:{GOOD}", body], environ={"PW": text, "WORD": "w"}).exporters["toy_out"].config

    assert (config.dsn, config.api_key, config.headers["key"]) == (text,) * 3


def test_a_map_and_a_list_may_come_from_the_environment():
    body = "yaml:{exporters::toy_out::headers: '${env:MAP}', service::pipelines::traces::exporters: '${env:LIST}'}"

    loaded = load([f"yaml:{GOOD}", body], environ={"MAP": "{a: '${env:X}'}", "X": "[x]", "LIST": "[toy_out]"})

    assert loaded.exporters["toy_out"].config.headers == {"a": "[x]"}
    assert loaded.pipelines["traces"].exporters == ("toy_out",)


def test_environment_variables_have_the_type_the_field_wants():
    environ = {"NUMBER": "0123", "WORD": "true", "NULL": "null", "QUOTED": '"x"', "NOTE": "a # b: c"}
    body = """yaml:
    exporters:
      toy_out: {dsn: "${NUMBER}", api_key: "${env:WORD}", port: "${env:NUMBER}",
                headers: {null: "${NULL}", quoted: "${QUOTED}", note: "${NOTE}", unset: "${env:NOTHING}"}}
    """

    loaded = load([f"yaml:{GOOD}", body], environ=environ)

    config = loaded.exporters["toy_out"].config
    assert (config.dsn, config.api_key, config.port) == ("0123", "true", 123)
    assert config.headers == {"null": "null", "quoted": '"x"', "note": "a # b: c", "unset": ""}
    assert [str(warning) for warning in loaded.warnings] == [
        "yaml:4:89: exporters::toy_out::headers::unset: environment variable NOTHING is not set; "
        "${env:NOTHING} is empty here"
    ]


def test_an_unset_variable_leaves_the_default_of_a_number():
    loaded = load([f"yaml:{GOOD}"], ["exporters.toy_out.sending_queue.queue_size=${NOTHING}"], {})

    assert loaded.exporters["toy_out"].config.sending_queue.queue_size == 2 * 1024**3
    assert loaded.warnings


@pytest.mark.parametrize(
    ("order", "late"), [("a, b", ""), ("b, a", "a"), ("a, b, a/out", ""), ("b", ""), ("b/x, c, a", "a")]
)
def test_a_processor_before_the_one_whose_work_it_reads_is_odd(monkeypatch, order, late):
    class Reader(ToyProcessor):
        reads = frozenset({"a"})

    more, find = {"a": ToyProcessor, "b": Reader, "c": ToyProcessor}, registry.find
    monkeypatch.setattr(registry, "find", lambda kind, type_: more.get(type_) or find(kind, type_))
    parts = "yaml:processors: {a: , a/out: , b: , b/x: , c: }"
    chain = f"yaml:service: {{pipelines: {{traces: {{processors: [{order}]}}}}}}"

    told = [str(warning) for warning in load([f"yaml:{GOOD}", parts, chain]).warnings]

    first = order.partition(",")[0]
    where = f'yaml:1:45: service::pipelines::traces: processor "{first}" stands before "{late}"'
    assert told == ([f"{where}, whose work it reads; put it behind"] if late else [])


def test_what_is_missing_hides_no_mistake_and_makes_none(tmp_path):
    (tmp_path / "broken.yaml").write_text("a: [")

    told = mistakes("nowhere.yaml", str(tmp_path / "broken.yaml"), f"yaml:{GOOD}", overrides=["novalue"])

    assert told[0].startswith("nowhere.yaml: no such file: nowhere.yaml; paths start from ")
    assert told[1].startswith(f"{tmp_path / 'broken.yaml'}:1:5: not valid YAML: ")
    assert told[2:] == ["--set novalue: missing equal sign; write --set processors.name.key=value"]


def test_a_component_that_does_not_load_is_a_mistake(tmp_path):
    entry_points = "[genai_collector.exporters]\ntoy_lost = nowhere.to_be_found:Lost\n"
    with installed(install(tmp_path, entry_points, "lost")):
        told = mistakes(f"yaml:{GOOD}", overrides=["exporters.toy_lost={}"])

    assert told == [
        '--set exporters.toy_lost={}: exporters::toy_lost: exporter "toy_lost" needs the module nowhere; '
        "it comes from package lost 1.0; reinstall or upgrade that"
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("timeout: 0s", "timeout: must be longer than 0s"),
        ("sending_queue: {queue_size: 0}", "sending_queue::queue_size: must be greater than 0, not 0"),
        ("sending_queue: {dead_letters_size: -1}", "dead_letters_size: must be greater than or equal to 0, not -1"),
        ("sending_queue: {batch: {min_size: -1}}", "batch::min_size: must be greater than or equal to 0, not -1"),
        ("sending_queue: {batch: {max_size: -3}}", "batch::max_size: must be greater than or equal to 0, not -3"),
        (
            "sending_queue: {batch: {max_size: 100}}",
            "sending_queue::batch: max_size 100 is less than min_size 16384; lower min_size, too",
        ),
        ("retry_on_failure: {initial_interval: 0s}", "retry_on_failure::initial_interval: must be longer than 0s"),
        ("retry_on_failure: {max_interval: 0s}", "retry_on_failure::max_interval: must be longer than 0s"),
        ("retry_on_failure: {multiplier: 0}", "multiplier: must be greater than or equal to 1, not 0"),
        ("retry_on_failure: {multiplier: .inf}", "multiplier: must be a finite number, not Infinity"),
        ("retry_on_failure: {randomization_factor: 5}", "randomization_factor: must be less than or equal to 1, not 5"),
        ("retry_on_failure: {randomization_factor: -1}", "must be greater than or equal to 0, not -1"),
    ],
)
def test_numbers_of_queues_and_retries_that_make_no_sense_are_mistakes(value, told):
    (mistake,) = mistakes(f"yaml:{GOOD}", f"yaml:exporters: {{toy_out: {{{value}}}}}")

    assert mistake.endswith(told)


def test_no_limit_of_rows_and_the_least_of_everything_are_none():
    body = "sending_queue: {queue_size: 1, dead_letters_size: 0, batch: {flush_timeout: 0s, min_size: 0, max_size: 0}}"
    retry = "retry_on_failure: {initial_interval: 1ns, multiplier: 1, randomization_factor: 0, max_elapsed_time: 0s}"

    load([f"yaml:{GOOD}", f"yaml:exporters: {{toy_out: {{{body}, {retry}}}}}"])


def exporting(*ids, options="path: x"):
    lines = [f'  "{id_}": {{{options}}}' for id_ in ids]
    listed = ", ".join(f'"{id_}"' for id_ in ids)
    return "\n".join(
        [
            "yaml:receivers: {toy_in: }",
            "exporters:",
            *lines,
            f"service: {{pipelines: {{traces: {{receivers: [toy_in], exporters: [{listed}]}}}}}}",
        ]
    )


def test_an_id_that_is_too_long_for_a_file_is_a_mistake_where_there_is_one():
    long = "file/" + "x" * 300

    assert mistakes(exporting(long)) == [
        f"yaml:3:3: exporters::{long}: the id is 72 bytes too long for the name of its outbox's file; shorten it"
    ]
    load([exporting(long, options="path: x, sending_queue: {storage: memory}")])


def test_two_exporters_may_not_use_one_outbox(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load([exporting("file/a/b", "file/a_b", "file/a")])

    assert mistakes(exporting("otlp/http", "otlp_http", options="endpoint: 'http://localhost:1'")) == [
        'yaml:4:3: exporters::otlp_http: its outbox would use the file of exporter "otlp/http", '
        "data/outbox/otlp_http.sqlite; set another sending_queue.directory, or rename one of them"
    ]
    (tmp_path / "data" / "outbox").mkdir(parents=True)
    (tmp_path / "data" / "outbox" / "file_a_b.sqlite").touch()
    assert len(mistakes(exporting("file/a/b", "file/a_b"))) == 1


def test_no_secret_is_told():
    told = "\n".join(
        mistakes(
            f"yaml:{GOOD}",
            overrides=[
                "exporters.toy_out.password={a: hunter2}",
                "exporters.toy_out.dsn=[http://u:hunter2@h]",
                "exporters.toy_out.api_key=[hunter2]",
                "exporters.toy_out.port={token: hunter2}",
                "exporters.toy_out.headers={x: [hunter2]}",
                "exporters.toy_out={passwordd: 1, secret: hunter2}",
            ],
        )
    )

    assert "exporters::toy_out::password" in told
    assert "hunter2" not in told


def test_a_secret_field_is_hidden_whatever_its_name():
    told = mistakes(f"yaml:{GOOD}", "yaml:exporters: {toy_out: {passphrases: [5318008, {a: hunter2}]}}")

    assert told == [
        "yaml:1:37: exporters::toy_out::passphrases::0: must be a text, not [REDACTED]; put it in quotes",
        "yaml:1:46: exporters::toy_out::passphrases::1: must be a text, not [REDACTED]",
    ]


def test_an_expression_is_not_repeated_in_a_message():
    told = mistakes(f"yaml:{GOOD}", "yaml:exporters::toy_out::dsn: 'a:${hunter2!}'")

    assert len(told) == 1
    assert "hunter2" not in told[0]


def test_the_shipped_configuration_loads():
    loaded = load([str(Path(__file__).parents[3] / "config.yaml")])

    assert list(loaded.pipelines) == ["traces", "metrics", "logs"]
    assert loaded.warnings == ()


def test_an_exporter_that_nothing_useful_reaches_is_a_mistake(monkeypatch):
    monkeypatch.setattr(ToyExporter, "consumes", frozenset({Signal.ROLLUPS}))
    more = "processors: {toy_step: }\nservice: {pipelines: {traces: {processors: [toy_step]}}}"

    assert mistakes(f"yaml:{GOOD}", f"yaml:{more}") == [
        'yaml:3:65: service::pipelines::traces: exporter "toy_out" does not take traces; '
        "it takes rollups; remove it here or choose another exporter"
    ]
    monkeypatch.setattr(ToyProcessor, "derives", frozenset({Signal.ROLLUPS}))
    assert load([f"yaml:{GOOD}", f"yaml:{more}"]).pipelines["traces"].exporters == ("toy_out",)
