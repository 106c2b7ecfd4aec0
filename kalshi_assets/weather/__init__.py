"""The settlement station's weather: its day, its reports, its publishers.

Here: the climate day's slots, what a rounded report can stand for, clients of Visual Crossing and
of the archived climate reports, and the weather as it was known at an instant. Not here: brackets
and probabilities over them (`ladder`), the exchange's own word on a settlement (`exchange`), and
where frames are stored (`lake`).
"""
