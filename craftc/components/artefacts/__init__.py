"""What is made from a trained model to be looked at."""
