"""What every other room may import: types, errors, priors, words and places on disk."""
