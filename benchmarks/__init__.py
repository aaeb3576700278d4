"""Measurements of ours against a plain implementation."""
