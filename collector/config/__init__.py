"""Loads configurations: sources in, one `Configuration` without mistakes out, or every mistake at once.

sources ─> read ─┐
                 ├─> merge ─> expand ${...} ─> build: grammar, ids, references, each component's Config
--set  ─> read ──┘
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from collector.config.document import build
from collector.config.expand import expand
from collector.config.model import ComponentSpec, Configuration, PipelineSpec, TelemetryConfig
from collector.config.render import render
from collector.config.source import assignment, merge, read
from collector.config.tree import Report
from collector.errors import ConfigError

__all__ = ["ComponentSpec", "Configuration", "PipelineSpec", "TelemetryConfig", "load", "render"]


def load(
    sources: Sequence[str],
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    *,
    look_at_files: bool = False,
) -> Configuration:
    """Return the configuration of all *sources*, later ones laid over earlier ones, *overrides* (``a.b=v``) on top.

    A source is a file, ``file:path``, ``env:NAME`` or ``yaml:text``. Raises `ConfigError` with every mistake;
    nothing but files and *environ* is touched. *look_at_files* makes a file that a component could not read a mistake.
    """
    report = Report(look_at_files=look_at_files)
    found = [read(source, environ, report) for source in sources]
    found += [assignment(override, report) for override in overrides]
    trees = [tree for tree in found if tree is not None]
    if len(trees) < len(found):  # what is missing would look like mistakes in what is there
        raise ConfigError(report.problems)
    configuration = build(expand(reduce(merge, trees), environ, report), report)
    if configuration is None or report.problems:
        raise ConfigError(report.problems)
    return replace(configuration, warnings=report.warnings)
