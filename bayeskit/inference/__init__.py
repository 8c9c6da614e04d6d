"""Inference engines, one a file: plain functions from a model and a frozen config to Draws."""
