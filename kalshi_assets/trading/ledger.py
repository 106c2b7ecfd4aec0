"""Positions and money of one event, in integers of 1/10,000 dollar.

Here: booking of fills, the result under every outcome, settlement. Not here: limits, or how a fill
came about.
"""

from collections.abc import Sequence

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.positions import Runs, gain_by_atom
from kalshi_assets.trading.orders import Fill, sign_of
from kalshi_assets.units import CC_A_DOLLAR


class Ledger:
    """Positions of one account in an event's brackets, and its money.

    Cash starts at 0, falls by what is bought and by fees, and rises by what is sold. At settlement
    the legs that pay on the atom of the settlement value pay 1 dollar per YES contract, or each leg
    pays a fair price; a negative position owes it.

    Parameters
    ----------
    brackets
        Number of brackets.
    ladder
        The event's legs by bracket; None: a partition.

    Attributes
    ----------
    pays
        For each bracket the first atom on which it pays and the one after the last.
    """

    __slots__ = ("atoms", "cash_cc", "fees_cc", "pays", "positions")

    def __init__(self, brackets: int, ladder: Atoms | None = None) -> None:
        self.positions = [0] * brackets
        self.atoms = brackets if ladder is None else ladder.count
        runs = [(leg, leg + 1) for leg in range(brackets)] if ladder is None else ladder.runs
        self.pays: Runs = [(int(first), int(end)) for first, end in runs]
        self.cash_cc = 0
        self.fees_cc = 0

    def book(self, fill: Fill) -> None:
        """Add `fill` to positions, cash and fees."""
        signed = sign_of(fill.side) * fill.contracts
        self.positions[fill.bracket] += signed
        self.cash_cc -= signed * fill.price_cc + fill.fee_cc
        self.fees_cc += fill.fee_cc

    def pnl_by_winner(self) -> list[int]:
        """Gain after fees, cc, for each atom that may contain the settlement value."""
        return gain_by_atom(self.positions, self.pays, self.atoms, self.cash_cc)

    def worst_case_cc(self) -> int:
        """Gain after fees in the worst atom."""
        return min(self.pnl_by_winner())

    def settle(self, winner: int) -> int:
        """Gain after fees, cc, if atom `winner` contains the settlement value.

        Raises
        ------
        ValueError
            The ladder has no such atom.
        """
        gains = self.pnl_by_winner()
        if not 0 <= winner < len(gains):
            raise ValueError(f"winning bracket {winner} is not in a ladder of {len(gains)}")
        return gains[winner]

    def settle_at(self, payoffs_cc: Sequence[int]) -> int:
        """Gain after fees, cc, if no bracket wins and each pays what the exchange states.

        Parameters
        ----------
        payoffs_cc
            Payoff of a YES contract, one entry per bracket.

        Raises
        ------
        ValueError
            The number of entries is not that of brackets, or one is beyond a dollar.
        """
        if len(payoffs_cc) != len(self.positions):
            raise ValueError(f"{len(payoffs_cc)} payoffs for a ladder of {len(self.positions)}")
        if not all(0 <= payoff <= CC_A_DOLLAR for payoff in payoffs_cc):
            raise ValueError(f"payoffs {list(payoffs_cc)} are not all from 0 to {CC_A_DOLLAR} cc")
        paid = zip(self.positions, payoffs_cc, strict=True)
        return self.cash_cc + sum(position * payoff for position, payoff in paid)
