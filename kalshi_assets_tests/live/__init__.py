"""Tests of the live room; what holds after a drill explains itself when it does not."""

import pytest

pytest.register_assert_rewrite("kalshi_assets_tests.live.invariants")
