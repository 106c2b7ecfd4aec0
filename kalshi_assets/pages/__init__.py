"""Pages and plots that people read: what the platform knew, how sure it was, why it did not trade.

Here: figures of a city-day, the HTML page of a city-day, the index of all of them, the terminal
summary. Everything is computed from frames that keep the table contracts; nothing here reads the
lake, a clock or the network, and nothing here feeds back into a decision. Not here: scores and
P&L themselves (`ladder`, `trading`), or where Dagster hangs the pictures (`defs`).

Pages are single files: style and figures are inline, so a page opens from a disk, an e-mail or an
object store without asking anyone for anything.
"""
