"""Random changes to a train batch."""
