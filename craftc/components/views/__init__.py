"""Several views of a sample, over which a trained model's outputs are averaged."""
