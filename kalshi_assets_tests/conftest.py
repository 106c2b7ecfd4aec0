"""What holds for every test: properties are about values, never about the speed of a machine."""

from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
