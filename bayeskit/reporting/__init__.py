"""Reports: one self-contained HTML file a fit, and an index over several."""

from bayeskit.reporting.calibration_page import render_calibration
from bayeskit.reporting.html import render
from bayeskit.reporting.index import RunEntry, render_index

__all__ = ["RunEntry", "render", "render_calibration", "render_index"]
