"""Trainings repeated over policies and seeds, and their results."""
