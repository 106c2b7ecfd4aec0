"""Units and array types, named once. Imports nothing but the standard library.

Money and prices are integers of 1/10,000 dollar (cc), sizes are contracts, times are microseconds
since the epoch, UTC.
"""

from typing import TYPE_CHECKING, Any

CC_A_DOLLAR = 10_000
"""Payoff of a YES contract whose leg pays."""
CC_A_CENT = 100
HUNDREDTHS = 100
"""In a contract: the exchange's least quantity is 1/100 contract."""
MILLIONTHS = 1_000_000
"""In a dollar: cash is exact in them, because a price in cc times 1/100 contract is whole ones."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
MINUTES_A_DAY = 24 * 60

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
else:  # numpy takes longer to import than everything else here
    Array = Ints = Bools = Any
