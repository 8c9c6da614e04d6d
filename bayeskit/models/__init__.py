"""Probabilistic programs and their data, one family a file. Models know no engine and no report."""
