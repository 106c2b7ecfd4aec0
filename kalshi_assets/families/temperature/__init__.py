"""Daily maximum temperature: from weather services to bracket probabilities.

Here: slots of the climate day (`climate_day`), the weather as known at each minute (`asof`), what
reports prove (`evidence`), earlier days as arrays (`station_days`), official maxima (`official`),
and the family's `steps`. Packages, each using those before it: `bulletins`, `sources`, `filter`,
`fit`, `hazard`. Not here: the market (`ladder`), the exchange's settlement (`exchange`), storage
(`lake`).
"""
