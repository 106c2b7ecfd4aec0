"""Families of ladders: what knows what the number is. A family imports no other family."""
