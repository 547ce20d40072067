"""Demo data: the two small dojos of `make run`, and the big one of `make demo-big`.

All data follow from a seed and from `now`, so a demo is never out of date. Only ids and codes are random.
"""
