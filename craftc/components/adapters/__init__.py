"""What is added to a trained model so that few of its weights are trained."""
