"""A family that no generic room knows: the sum of twelve dice, on forty nested thresholds.

It proves the walls: from a sandbox's event to a page without a line in any generic room.
"""
