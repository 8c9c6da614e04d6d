"""Whether to believe a posterior: numbers, thresholds and remedies. Diagnostics never print."""
