"""Every rule between fields, by what it is asked of."""

from craftc.compiler.checking.rules.ablation_checks import ABLATION_RULES
from craftc.compiler.checking.rules.checks import FIELD_RULES
from craftc.compiler.checking.rules.data_checks import DATA_RULES
from craftc.compiler.checking.rules.effect_checks import EFFECT_RULES
from craftc.compiler.checking.rules.frozen_checks import FROZEN_RULES
from craftc.compiler.checking.rules.resource_checks import RESOURCE_RULES
from craftc.compiler.checking.rules.rule import Rule
from craftc.compiler.checking.rules.search_checks import SEARCH_RULES
from craftc.compiler.checking.rules.step_checks import STEP_RULES

EXPERIMENT_RULES: tuple[Rule, ...] = (
    FIELD_RULES + EFFECT_RULES + DATA_RULES + FROZEN_RULES + RESOURCE_RULES + STEP_RULES
)
"""What every variant has to keep."""
DESIGN_RULES: tuple[Rule, ...] = ABLATION_RULES + SEARCH_RULES
"""What the ablation and the search have to keep; asked once, of the spec as written."""
