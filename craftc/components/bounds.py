"""Names bounded numbers, so that a component's signature is its schema, and the marks of arguments."""

from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

PER_TRIAL: Final = "per trial"
"""In `Annotated`, of an argument that trials trained as one batch may differ in: whatever its value, parameters and
buffers have the same shapes, and a step does the same."""

MODEL: Final = "component of models"
"""In `Annotated`, of an argument that takes a model, built-in or the user's own, as it is written."""
AS_WRITTEN: Final = "component as written"
"""In `Annotated`, of an argument that takes a component of the user's own as it is written: what takes it builds it, by
`build_written`, once random numbers are seeded."""
WEIGHTS: Final = "weights"
"""In `Annotated`, of a path that may also be `trial:ID`, for the best weights of a trial in the store."""

FROM_ENVIRONMENT: Final = "from environment"
"""In `Annotated`, of a tracker's argument whose text may hold `${env:NAME}`."""

Name = Annotated[str, MinLen(1)]
PositiveInt = Annotated[int, Ge(1)]
Reduction = Annotated[int, Ge(2)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Probability = Annotated[float, Ge(0), Le(1)]
BelowOne = Annotated[float, Ge(0), Lt(1)]
OpenFraction = Annotated[float, Gt(0), Lt(1)]
Ratio = Annotated[float, Ge(1)]
Seed = Annotated[int, Ge(0), Le(4294967295)]
EpochsOrRest = PositiveInt | Literal["none"]
StepsOrNone = PositiveInt | Literal["none"]
LengthOrNone = NonNegativeInt | Literal["none"]
