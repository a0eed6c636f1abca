"""The section `data.splits`: which samples are for what, and how they are told apart."""

from typing import Annotated, Any, Literal

from craftc.schemas.section import Field, Section, SwitchedOffByNone, plain_value
from craftc.schemas.split_roles import FIT, Role, held_out_by_folds, role_of, roles, share_of, split_names

Fraction = Annotated[float, Field(gt=0, lt=1)]
MAX_SEED = 2**32 - 1
"""Of the random numbers that share out samples, whose streams no version of numpy changes."""
_Name = Annotated[str, Field(min_length=1)]
GIVEN_BY = ("column", "file", "folders", "from_source")
"""Keys that say of each sample which split it is in, so that no fraction does."""
OF_SAMPLES = {
    "column": "give fractions, or from_source with a source of your own that returns a text for each split",
    "file": "give fractions, or from_source with a source of your own that returns a text for each split",
    "folders": "give fractions, or from_source with a source of your own that returns a text for each split",
    "group": "give fractions, or from_source with a source of your own that keeps documents together",
    "order": "leave it out: train is the beginning of the text and test its end",
    "folds": "give fractions: a text that is cut out of the middle of another has its neighbours on both sides",
}
"""Keys that are said of samples, and what to write of a text."""


class SplitPart(Section):
    """A split of which more is said than its share."""

    share: Fraction | None = Field(None, description="Fraction of the samples.", examples=[0.15])
    for_: Literal["fit", "select", "calibrate", "final"] | None = Field(
        None,
        description="What may read it: fit, select, calibrate or final; by default train is for fit, valid and val for "
        "select, test for final, and any other name for select.",
    )
    value: _Name | None = Field(
        None, description="What the column or file that gives the splits calls it; by default its name."
    )


class Splits(Section, open_to=Fraction | SplitPart):
    """Named parts of the data, each with a role: train is fitted on, valid selects, test is read once at the end."""

    train: Fraction | SplitPart = Field(
        description="Fraction of the samples to fit on.",
        examples=[0.6],
        required_unless=(*GIVEN_BY, "folds"),
    )
    stratify: bool = Field(True, description="Keep the class frequencies equal in every split.")
    seed: int = Field(
        0,
        ge=0,
        le=MAX_SEED,
        description="Seed of the split; the same for all replicates, so that they share their test samples.",
    )
    group: Annotated[_Name | None, SwitchedOffByNone()] = Field(
        None,
        description="Column of what belongs together, such as a patient: no value of it is on two sides.",
        examples=["patient"],
    )
    order: Annotated[_Name | None, SwitchedOffByNone()] = Field(
        None,
        description="Column to sort by, such as a date: train has the earliest samples, test the latest.",
        examples=["date"],
    )
    column: Annotated[_Name | None, SwitchedOffByNone()] = Field(
        None, description="Column that names each sample's split.", examples=["part"]
    )
    file: Annotated[_Name | None, SwitchedOffByNone()] = Field(
        None,
        description="JSON or CSV file that names each sample's split, by its number from 0 or its id; such as the "
        "splits.json of a run.",
        examples=["splits.json"],
    )
    folders: Annotated[Annotated[dict[str, _Name], Field(min_length=1)] | None, SwitchedOffByNone()] = Field(
        None,
        description="Split to the folder, within that of an image_folder, that holds its folders of classes.",
        examples=[{"train": "train", "valid": "val"}],
    )
    from_source: bool = Field(
        False, description="The source returns a mapping of split to samples, or gives a column `split`."
    )
    folds: Annotated[Annotated[int, Field(ge=2, le=1000)] | None, SwitchedOffByNone()] = Field(
        None,
        description="Cross-validation: every variant and seed is trained once for each fold, which is then test; the "
        "other splits share what is left.",
        examples=[5],
    )
    fold: Annotated[Annotated[int, Field(ge=0)] | None, SwitchedOffByNone()] = Field(
        None, description="The one fold that is held out, from 0; none: each in turn."
    )
    train_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="Share of train that is used, of each class alike; the samples of a smaller share are among those "
        "of a larger one.",
    )
    allow_duplicates: bool = Field(
        False, description="Whether copies of one sample may be in train and in another split."
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Split names, `train` first, then in the order written."""
        return split_names(self._parts)

    @property
    def roles(self) -> dict[str, Role]:
        """Split name to role, in the order of `names`."""
        return roles(self._parts)

    @property
    def fractions(self) -> dict[str, float]:
        """Split name to fraction, of those that have one, in the order of `names`. With folds they are fractions of
        what is not held out, of which train has what the others leave."""
        parts = self._parts
        found = {name: share_of(parts.get(name)) for name in split_names(parts)}
        given = {name: share for name, share in found.items() if share is not None}
        if self.folds is not None and FIT not in given:
            return {FIT: 1 - sum(given.values()), **given}
        return given

    @property
    def shares(self) -> dict[str, float]:
        """Split name to its share of all samples, as far as fractions or folds say it; nothing where it is given."""
        if self.given_by:
            return {}
        if self.folds is None:
            return self.fractions
        held_out = 1 / self.folds
        return {**{n: f * (1 - held_out) for n, f in self.fractions.items()}, held_out_by_folds(self._parts): held_out}

    @property
    def given_by(self) -> tuple[str, ...]:
        """The keys that say of each sample which split it is in."""
        return tuple(key for key in GIVEN_BY if self.__dict__[key])

    def role(self, name: str) -> Role:
        """The role of a split of that name."""
        return role_of(name, self._parts.get(name))

    @property
    def held_out(self) -> str:
        """The split that each fold is once."""
        return held_out_by_folds(self._parts)

    def says_role(self, name: str) -> bool:
        """Whether the spec says what a split is for."""
        part = self._parts.get(name)
        return isinstance(part, dict) and part["for"] is not None

    @property
    def _parts(self) -> dict[str, Any]:
        """What names and roles are read from, as plain values."""
        kept = {key: self.__dict__[key] for key in ("train", "folds", *GIVEN_BY)}
        return {name: plain_value(value) for name, value in {**kept, **self.extra}.items()}
