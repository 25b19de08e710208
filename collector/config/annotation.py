"""Looks into the types of config classes: which models a value may be, and what stands under its keys."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def models(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Return the config classes a value of this type may be, those inside lists and maps left out."""
    choices = choices_of(annotation)
    return tuple(choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel))


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """Return the single types of a union, however it is written."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices_of(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return tuple(choice for each in get_args(annotation) for choice in choices_of(each))
    return (annotation,)


def child(annotation: Any, key: str | int) -> Any:
    """Return the type of what stands under *key* in a value of this type, None where nothing is known."""
    for choice in choices_of(annotation):
        origin, arguments = get_origin(choice), get_args(choice)
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            for name, field in choice.model_fields.items():
                if key == (field.alias or name):
                    return field.annotation
        elif isinstance(origin, type) and arguments:
            return arguments[1] if issubclass(origin, Mapping) else arguments[0]
    return None


def keys(annotation: Any) -> tuple[str, ...]:
    """Return every key a value of this type may have, where it is a config class."""
    return tuple(field.alias or name for model in models(annotation) for name, field in model.model_fields.items())
