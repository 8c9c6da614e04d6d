"""The parts of stochastic block models."""
