"""Transforms of the inputs that are fitted on the train split."""
