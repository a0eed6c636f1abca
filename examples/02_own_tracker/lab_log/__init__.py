"""A log of the lab's own."""
