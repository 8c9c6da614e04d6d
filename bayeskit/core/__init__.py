"""What every other room may import: types, errors, seeds and places on disk."""
