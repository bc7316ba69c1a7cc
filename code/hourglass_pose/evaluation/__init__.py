"""Metrics, breakdown and baselines, and the evaluator that measures a network with them."""
