"""Sizes and delays of drawn paths."""
