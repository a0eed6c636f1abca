"""A cluster of the lab's own."""
