"""Has an Optuna sampler propose, of a range with a step, the decimals that the step means."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from craftc.runtime.search.dimension import Dimension


class OnStepSampler(BaseSampler):
    """Samples as another does. Optuna adds steps up in floats: three of 0.3 from 0 are 0.8999999999999999."""

    def __init__(self, sampler: BaseSampler, space: Mapping[str, Dimension]) -> None:
        self._sampler, self._space = sampler, space

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """See BaseSampler."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See BaseSampler."""
        drawn = self._sampler.sample_relative(study, trial, search_space)
        return {path: self._space[path].on_step(value) for path, value in drawn.items()}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """See BaseSampler."""
        drawn = self._sampler.sample_independent(study, trial, param_name, param_distribution)
        return self._space[param_name].on_step(drawn)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """See BaseSampler."""
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """See BaseSampler."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """See BaseSampler."""
        self._sampler.reseed_rng()
