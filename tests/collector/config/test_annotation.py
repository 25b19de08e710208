"""collector/config/annotation.py: what config classes say about their keys."""

from typing import Annotated, Optional

import pytest
from pydantic import BaseModel, Field

from collector.config.annotation import child, keys, models


class Inner(BaseModel):
    x: int = 0


class Outer(BaseModel):
    inner: Annotated[Inner | None, Field()] = None
    items: list[Inner] = []
    named: dict[str, Optional[Inner]] = {}  # noqa: UP045
    renamed: int = Field(0, alias="Renamed")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["inner"], (Inner,)),
        (["items"], ()),
        (["items", 0], (Inner,)),
        (["named"], ()),
        (["named", "any"], (Inner,)),
        (["inner", "x"], ()),
        (["nothing", "x"], ()),
        (["renamed"], ()),
    ],
)
def test_models_are_found_behind_every_way_to_write_them(path, found):
    annotation = Outer
    for key in path:
        annotation = child(annotation, key)

    assert models(annotation) == found


def test_keys_are_those_a_user_writes():
    assert keys(Outer | None) == ("inner", "items", "named", "Renamed")
