"""Modules from a batch of inputs to logits."""
