"""A simulated exchange and weather service, fed from an archive or a generated world.

Here: the HTTP service and the generator of worlds in the archive's layout. Not here: anything the
platform itself runs on; only the command line and tests import this room.
"""
