"""A value that was not expected -> the words for its type."""


def type_name(value: object) -> str:
    """`an int`, `a Tensor`."""
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"
