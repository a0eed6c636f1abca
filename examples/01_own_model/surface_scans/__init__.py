"""Telling apart what a scanning probe saw, line by line."""
