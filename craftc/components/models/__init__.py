"""Models: modules that turn a batch of inputs into logits."""
