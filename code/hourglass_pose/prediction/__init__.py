"""Predictor: joints of people in photos from a trained network."""
