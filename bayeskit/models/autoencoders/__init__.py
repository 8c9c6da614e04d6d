"""The parts of variational autoencoders."""
