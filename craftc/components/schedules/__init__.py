"""Learning-rate phases."""
