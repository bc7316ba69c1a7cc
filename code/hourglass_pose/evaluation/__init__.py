"""Measures of predicted poses against labelled ones, baselines to compare with, and how both are reported."""
