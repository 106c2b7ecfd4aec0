"""How many examples a property that costs seconds is tried on."""

from hypothesis import settings

DRILL = "drill"
_MORE_IN_A_DRILL = 4


def examples(n: int) -> settings:
    """Settings for `n` examples, or four times as many in the profile ``drill``."""
    in_drill = settings.get_current_profile_name() == DRILL
    return settings(max_examples=n * (_MORE_IN_A_DRILL if in_drill else 1))
