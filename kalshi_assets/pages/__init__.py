"""Pages and plots for people: what the platform knew, how sure it was, why it did not trade.

Here: the figures and the HTML page of a city-day, the index of all city-days, the terminal summary.
Everything is computed from frames that keep the table contracts, without a clock or the network,
and nothing is read back into a decision. Not here: scores and P&L (`statistics`, `trading`), or
where Dagster shows the figures (`defs`).

Pages are self-contained: style and figures are inline, so a page opens from a disk, an e-mail or an
object store without further requests.
"""
