"""Values: phases of a named number over the training."""
