"""A simulated exchange and weather service that serves recordings or a generated world.

Here: the HTTP service, and the generator of worlds in the archive's layout. Not here: anything that
the platform itself needs; only commands, benchmarks and tests import this room.
"""
