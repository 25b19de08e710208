import json

import pytest
import yaml
from click.testing import CliRunner

from collector.batch import Signal
from collector.cli import main
from collector.errors import ConfigError
from collector.otlp.json import from_json
from processors.genai.shipped import read_own
from tests.processors.spans import span_of

SPAN = {"name": "ask", "attributes": {"gen_ai.system": "az.ai.openai", "acme.tokens": 7, "plain": 1}}
REQUEST = json.dumps(
    {
        "resourceSpans": [
            {"scopeSpans": [{"scope": {"name": "acme"}, "spans": [span_of(0, SPAN), span_of(1, {"name": "db"})]}]}
        ]
    }
)
CONFIG = """
receivers: {otlp: {protocols: {grpc: }}}
processors:
  genai:
    mappings: {attributes: {gen_ai.usage.input_tokens: {from: [acme.tokens]}}}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], processors: [genai], exporters: [debug]}}}
"""


def explained(*arguments, stdin=None):
    result = CliRunner().invoke(main, ["explain-mapping", *arguments], input=stdin)
    assert result.exit_code == 0, result.output
    return result.output


def test_which_rule_gave_what():
    lines = explained(stdin=REQUEST).splitlines()

    assert lines == [
        "ask  (acme)",
        "  gen_ai.provider.name = azure.ai.openai",
        "      from gen_ai.system",
        "db  (acme)",
        "  nothing to add",
    ]


def test_rules_of_the_configuration_count(tmp_path):
    config, request = tmp_path / "config.yaml", tmp_path / "request.pb"
    config.write_text(CONFIG)
    request.write_bytes(from_json(Signal.TRACES, REQUEST.encode()))
    told = explained("--config", str(config), "--file", str(request))

    assert "gen_ai.usage.input_tokens = 7\n      from acme.tokens" in told


def test_a_file_that_is_not_there_is_told():
    result = CliRunner().invoke(main, ["explain-mapping", "--file", "nowhere.json"])

    assert result.exit_code == 2
    assert "File 'nowhere.json' does not exist" in result.output


def test_without_a_request_the_table_is_shown():
    table = yaml.safe_load(explained(stdin=""))

    assert "gen_ai.usage.prompt_tokens" in table["gen_ai.usage.input_tokens"]
    assert "llm.input_messages.N.*" in table["gen_ai.input.messages"]


def test_mistakes_in_a_file_are_told_with_their_place(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("attributes:\n  x:\n    kind: cuont\n    form: [y]\n")
    with pytest.raises(ConfigError) as caught:
        read_own(path)
    told = sorted(map(str, caught.value.problems))

    assert [text.split(": ")[0] for text in told] == [f"{path}:3:11", f"{path}:4:5"]
    assert 'did you mean "count"' in told[0] or "count" in told[0]
    assert "from" in told[1]


@pytest.mark.parametrize(
    ("text", "problem"), [("- x", "must be a map"), ("a: [", "not valid YAML"), (None, "no such file")]
)
def test_files_that_are_no_table(tmp_path, text, problem):
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError, match=problem):
        read_own(path)
