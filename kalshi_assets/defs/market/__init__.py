"""Stage `market`: what the exchange says, fetched and decoded."""
