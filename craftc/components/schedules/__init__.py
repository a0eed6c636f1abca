"""Schedules: phases of the learning rate."""
