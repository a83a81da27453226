"""Versions of definitions: which one is in force, and how a person changes that."""
