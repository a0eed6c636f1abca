"""Components that are handed over as they are written, for what takes them to build."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.value_type import is_component
from craftc.components.bounds import AS_WRITTEN
from craftc.components.build import build_written, built_arguments, parameters_of

PART = {"kind": "types:SimpleNamespace", "a": 1}


def takes(
    one: Annotated[Mapping[str, Any], AS_WRITTEN],
    or_none: Annotated[Mapping[str, Any], AS_WRITTEN] | Literal["none"],
    built: object,
) -> None: ...


def test_what_is_marked_stays_as_it_is_written() -> None:
    given = {"kind": "x:y", "one": PART, "or_none": PART, "built": PART}
    arguments = built_arguments(given, parameters_of(takes))
    assert (arguments["one"], arguments["or_none"]) == (PART, PART)
    assert arguments["built"].a == 1
    assert built_arguments({"kind": "x:y", "or_none": "none"}, parameters_of(takes)) == {"or_none": "none"}


def test_what_is_written_is_built_later_with_what_it_does_not_say() -> None:
    assert vars(build_written(PART, a=5, b=2)) == {"a": 1, "b": 2}


def test_a_spec_writes_a_component_in_its_place() -> None:
    entry = built_in_catalogue().find("programs", "lightning")
    assert entry is not None
    for name in ("module", "trainer", "data"):
        parameter = entry.parameter(name)
        assert parameter is not None
        assert is_component(parameter.type.get("anyOf", [parameter.type])[0])
