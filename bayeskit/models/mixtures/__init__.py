"""The parts of the Gaussian mixture: its priors, likelihood, programs, conditionals, and what is made of its draws."""
