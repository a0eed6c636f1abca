"""The components that ship with craftc, read from a generated file so that linting imports none of them."""

from functools import lru_cache
from pathlib import Path

from craftc.schemas.catalogue import Catalogue

CATALOGUE_FILE = Path(__file__).with_name("catalogue.json")


@lru_cache(maxsize=1)
def built_in_catalogue() -> Catalogue:
    """Every built-in component. `python -m craftc.components.describe` writes the file from the signatures."""
    return Catalogue.model_validate_json(CATALOGUE_FILE.read_text(encoding="utf-8"))
