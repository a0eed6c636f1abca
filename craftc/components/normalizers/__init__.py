"""Normalizers: transforms of the inputs that are fitted on the train split."""
