"""The parts of Bayesian matrix factorisation."""
