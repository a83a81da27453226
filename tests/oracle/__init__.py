"""The oracle: says from the bytes that were sent what the product must have found, and compares.

Written from docs/identity.md, docs/journeys.md, docs/sources.md, docs/catalogue.md and docs/simulation.md alone, by
brute force, with the standard library; packages only read YAML and know public holidays. It shares no code with the
product, so a mistake would have to be made twice to stay unseen.
"""
