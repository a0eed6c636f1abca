"""Every rule between fields, by what it is asked of."""

from craftc.compiler.checking.rules.ablation import ABLATION_RULES
from craftc.compiler.checking.rules.data import DATA_RULES
from craftc.compiler.checking.rules.data_files import FILE_RULES
from craftc.compiler.checking.rules.effects import EFFECT_RULES
from craftc.compiler.checking.rules.evaluation import EVALUATION_RULES
from craftc.compiler.checking.rules.fields import CONSTRAINTS, FIELD_RULES, experiment_name
from craftc.compiler.checking.rules.frozen_backbone import FROZEN_RULES
from craftc.compiler.checking.rules.lengths import LENGTH_RULES
from craftc.compiler.checking.rules.metrics import METRIC_RULES
from craftc.compiler.checking.rules.mixing import MIXING_RULES
from craftc.compiler.checking.rules.own_models import OWN_MODEL_RULES
from craftc.compiler.checking.rules.phases import PHASE_RULES
from craftc.compiler.checking.rules.removals import REMOVAL_RULES
from craftc.compiler.checking.rules.report import REPORT_RULES
from craftc.compiler.checking.rules.resources import RESOURCE_RULES
from craftc.compiler.checking.rules.rule import AnyRule, CheckedExperiment, CheckedProgram, ExperimentRule, Rule
from craftc.compiler.checking.rules.search import SEARCH_RULES, TRAINED_SEARCH_RULES
from craftc.compiler.checking.rules.splits import SPLIT_RULES, unread_split
from craftc.compiler.checking.rules.steps import STEP_RULES
from craftc.compiler.checking.rules.targets import TARGET_RULES
from craftc.compiler.checking.rules.terms import TERM_RULES
from craftc.compiler.checking.rules.training_values import TRAINING_VALUE_RULES
from craftc.compiler.checking.rules.values import VALUE_RULES
from craftc.compiler.checking.rules.views import VIEW_RULES

TRAINED_RULES: tuple[Rule, ...] = (
    FIELD_RULES
    + TERM_RULES
    + LENGTH_RULES
    + PHASE_RULES
    + TRAINING_VALUE_RULES
    + SPLIT_RULES
    + METRIC_RULES
    + EVALUATION_RULES
    + EFFECT_RULES
    + VALUE_RULES
    + DATA_RULES
    + TARGET_RULES
    + VIEW_RULES
    + MIXING_RULES
    + FILE_RULES
    + FROZEN_RULES
    + REMOVAL_RULES
    + RESOURCE_RULES
    + STEP_RULES
    + OWN_MODEL_RULES
)
"""What every variant that craftc trains has to keep, beside the constraints of the components that it sets."""
DESIGN_RULES: tuple[ExperimentRule, ...] = (
    experiment_name,
    *CONSTRAINTS.values(),
    *ABLATION_RULES,
    *SEARCH_RULES,
    *REPORT_RULES,
)
"""What is asked once, of the spec as written: constraints, and what no variant changes (ablation, search, report)."""


def variant_rules(base: CheckedExperiment) -> tuple[AnyRule, ...]:
    """What every variant of a spec has to keep."""
    if isinstance(base, CheckedProgram):
        from craftc.compiler.checking.rules.programs import PROGRAM_RULES  # a millisecond, where there is a program

        return (*PROGRAM_RULES, *RESOURCE_RULES)
    return TRAINED_RULES


def design_rules(base: CheckedExperiment) -> tuple[AnyRule, ...]:
    """What is asked once, of a spec as written."""
    if isinstance(base, CheckedProgram):
        from craftc.compiler.checking.rules.programs import PROGRAM_DESIGN_RULES

        return (*DESIGN_RULES, *PROGRAM_DESIGN_RULES)
    return (*DESIGN_RULES, unread_split, *TRAINED_SEARCH_RULES)
