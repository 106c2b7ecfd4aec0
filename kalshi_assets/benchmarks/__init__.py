"""How fast the platform is, against references measured in the same run."""
