"""Several trainings whose steps are alike, trained as one model of stacked parameters."""
