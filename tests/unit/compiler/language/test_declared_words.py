"""What a component declares, in the words of its documentation."""

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.declared_words import declared


@pytest.mark.parametrize(
    ("group", "kind", "expected"),
    [
        ("sources", "arrays", [("gives", "images or a table"), ("to be predicted", "classes or quantities")]),
        (
            "sources",
            "digits",
            [
                ("gives", "images"),
                ("to be predicted", "classes"),
                (
                    "has",
                    "1,797 samples, 10 classes, num_features 64, num_lines 8, line_length 8, "
                    "num_channels 1, image_size 8, image_height 8, image_width 8",
                ),
            ],
        ),
        (
            "normalizers",
            "per_dataset",
            [("takes", "images or a table"), ("of a table", "it takes one mean and one scale of all columns")],
        ),
        ("models", "decoder", [("takes", "text")]),
        ("metrics", "accuracy", [("measures", "classes or tokens")]),
    ],
)
def test_what_a_component_declares(group: str, kind: str, expected: list[tuple[str, str]]) -> None:
    entry = built_in_catalogue().find(group, kind)
    assert entry is not None
    assert declared(entry) == expected
