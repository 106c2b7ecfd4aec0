"""The settlement station's weather, from a service's answer to bracket probabilities.

Here: the climate day's slots (`climate_day`), what was known when (`asof`), what reports prove
(`evidence`), earlier days as one frame (`station_days`), which value is official (`official`).
Below, each on those before it: `sources`, `reports`, `filter`, `fit`, `hazard`. Not here: the
market (`ladder`), the exchange's own word on a settlement (`exchange`), where frames are stored
(`lake`).
"""
