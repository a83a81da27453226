"""Whose touchpoint is it? The stage `resolve` and the pure functions under it. Rules: docs/identity.md."""
