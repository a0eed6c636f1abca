"""A conclusion in; JSON out: the contract of `craftc report --format json`."""

from craftc.schemas.conclusion import Conclusion


def render_json(conclusion: Conclusion) -> str:
    """Every field of the conclusion, indented, ending with a line break. All numbers are finite."""
    return conclusion.model_dump_json(indent=2) + "\n"
