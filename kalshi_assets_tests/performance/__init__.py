"""Tests of `kalshi_assets.performance`."""
