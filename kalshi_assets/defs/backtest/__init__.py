"""Stage `backtest`: what the engine would have done, what filled, and how good the PMFs were."""
