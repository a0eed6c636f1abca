"""Where samples come from: functions that return `Samples`."""
