"""Whose touchpoint is it? The stage `resolve` and the pure functions under it. The rules: docs/identity.md."""
