"""The values that pass between stages: frozen, serialisable, and free of behaviour."""
