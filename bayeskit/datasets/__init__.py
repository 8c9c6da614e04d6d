"""Loaders: from a file to a frozen, validated data object. Loaders never model."""

from bayeskit.datasets.weather import WeatherData, load_weather

__all__ = ["WeatherData", "load_weather"]
