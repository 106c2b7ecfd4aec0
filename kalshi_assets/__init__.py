"""Kalshi temperature markets and station weather as a Dagster asset graph.

The map of the rooms is in docs/architecture.md. Dagster stands at the edge (`defs`), pure
functions stand in the middle, files on disk are the only state.
"""
