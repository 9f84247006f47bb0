"""Bayesian networks over integer codes: structure learning, codelength, sampling."""
