"""Metrics: numbers that are measured in a split."""
