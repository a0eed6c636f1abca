"""Names the type of a value that was not expected."""


def type_name(value: object) -> str:
    """`an int`, `a Tensor`."""
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"
