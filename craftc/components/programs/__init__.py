"""Programs: functions that train in their own way, and report what they measure to a Run."""
