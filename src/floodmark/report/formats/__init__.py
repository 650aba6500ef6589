"""A verdict as others read it, a file for each format: CI, metrics, plotters, scripts."""
