"""The values that pass between stages: frozen and serialisable; they do nothing by themselves."""
