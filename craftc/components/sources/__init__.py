"""Sources: functions that return samples or tokens."""
