"""Writes a configuration back as plain data, defaults included and secrets hidden."""

from typing import Any

from pydantic import BaseModel

from collector.config.model import Configuration
from collector.config.secrets import redact
from collector.registry import Kind


def render(configuration: Configuration, *, unredacted: bool = False) -> dict[str, Any]:
    """Return *configuration* as it could be written in a file; without *unredacted*, secrets are ``[REDACTED]``."""
    written: dict[str, Any] = {
        kind.value: {id_: _dump(spec.config, unredacted) for id_, spec in configuration.section(kind).items()}
        for kind in Kind
    }
    written["service"] = {
        "extensions": list(configuration.service_extensions),
        "pipelines": {
            id_: {
                "receivers": list(pipeline.receivers),
                "processors": list(pipeline.processors),
                "exporters": list(pipeline.exporters),
            }
            for id_, pipeline in configuration.pipelines.items()
        },
        "telemetry": _dump(configuration.telemetry, unredacted),
    }
    return written


def _dump(config: BaseModel, unredacted: bool) -> dict[str, Any]:
    dumped = config.model_dump(mode="json", by_alias=True, context={"unredacted": unredacted})
    written: dict[str, Any] = _without_absent(config, dumped)
    return written if unredacted else redact(written)


def _without_absent(value: Any, dumped: Any) -> Any:
    """Leave out what is absent by default: written as null, a block of keys would be there with its defaults."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {
            field.alias or name: _without_absent(getattr(value, name), dumped[field.alias or name])
            for name, field in fields.items()
            if not (getattr(value, name) is None and field.default is None)
        }
    if isinstance(value, dict):
        return {key: _without_absent(each, dumped[str(key)]) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_absent(*pair) for pair in zip(value, dumped, strict=True)]
    return dumped
