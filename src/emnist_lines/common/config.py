"""`params.yaml`: its sections as pydantic models, each defined beside what it configures.

Sections are strict (no conversions but from whole numbers to floats), frozen, and know all their keys.
"""

import reprlib
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from emnist_lines.common.errors import UserError

SECTIONS = ("download", "synthesize", "language", "model", "train", "evaluate", "machine")
"""All sections of `params.yaml`."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Share = Annotated[float, Field(ge=0, lt=1)]
"""A share or a probability that may be 0 but not 1."""
_UNREADABLE = (YAMLError, RecursionError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What the YAML parser raises: besides its own errors, those of what it calls for numbers, dates and tags."""
_short = reprlib.Repr()
"""How a wrong value is shown: with YAML's aliases a small file can hold a list of billions."""
_short.maxlevel, _short.maxstring, _short.maxother = 3, 60, 60

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A part of `params.yaml`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def replace(self, **changes: Any) -> Self:
        """A copy with other values.

        Raises:
            ParamError: a key is unknown or a value is wrong.
        """
        return validate(type(self), {**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


class ParamError(ValueError):
    """Which key is wrong, and how, in one sentence."""


def validate(section: type[S], content: Any, key: str = "") -> S:
    """A section from plain YAML values.

    Args:
        section: its class.
        content: a mapping of keys to values.
        key: where the section stands, for the errors.

    Raises:
        ParamError: a key is unknown or missing, or a value has the wrong type or is out of range.
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise ParamError(_sentence(error, section, key)) from None


def load(path: Path, **sections: type[Section]) -> Any:
    """Some sections of `params.yaml`, in the order asked for.

    Args:
        path: the file. It is read as YAML 1.2, which is what DVC writes: `1e-05` is a number.
        sections: each section's name and class.

    Returns:
        One section, or a tuple of several.

    Raises:
        UserError: the file cannot be read, a section is unknown or missing, or a key or a value in these is wrong.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); run from the repository's root") from None
    except _UNREADABLE as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    try:
        found = tuple(section_of(content, name, section) for name, section in sections.items())
    except ParamError as error:
        raise UserError(f"{path}: {error}") from None
    return found if len(found) > 1 else found[0]


def section_of(content: Any, name: str, section: type[S]) -> S:
    """The section `name` of the whole file's content.

    Raises:
        ParamError: a section is unknown or missing, or a key or a value in this one is wrong.
    """
    if not isinstance(content, dict):
        raise ParamError(f"the file must be a mapping of keys to values, not {_short.repr(content)}")
    for key in content:
        if key not in SECTIONS:
            raise ParamError(_unknown("the file", key, SECTIONS))
    if name not in content:
        raise ParamError(f"{name} is missing")
    return validate(section, content[name], name)


def _unknown(where: str, key: object, known: Any) -> str:
    return f"{where} has an unknown key {_short.repr(key)}; known are {', '.join(known)}"


def _sentence(error: ValidationError, section: type[BaseModel], key: str) -> str:
    """The first of pydantic's errors, in this project's words."""
    first = error.errors(include_url=False)[0]
    places = [key, *map(str, first["loc"])] if key else [str(place) for place in first["loc"]]
    name = ".".join(places) or "the section"
    kind, message, value = first["type"], first["msg"], _short.repr(first["input"])
    if kind == "missing":
        return f"{name} is missing"
    if kind in ("extra_forbidden", "invalid_key"):
        inner = _inner(section, [str(place) for place in first["loc"][:-1]])
        return _unknown(".".join(places[:-1]) or "the section", first["loc"][-1], inner.model_fields)
    if kind in ("model_type", "model_attributes_type"):
        return f"{name} must be a mapping of keys to values, not {value}"
    rule = message.removeprefix("Value error, ").replace("Input should be", "must be")
    rule = rule.replace("Input should have", "must have")
    rule = rule.replace("must be a valid tuple", "must be a list")
    if kind == "too_short":
        rule = "must be a list that is not empty"
    if "must be" not in rule:
        rule = f"must be valid: {rule[:1].lower()}{rule[1:]}"
    return f"{name} {' '.join(rule.split())}, not {value}"


def _inner(section: type[BaseModel], places: list[str]) -> type[BaseModel]:
    """The model that stands at `places` inside a section."""
    for place in places:
        kind = section.model_fields[place].annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            section = kind
    return section
