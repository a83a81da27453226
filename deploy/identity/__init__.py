"""Why a touchpoint is whose it is, and what people may decide about it: for the command line, for HTTP, for a page.

Queries go in, frozen values come out; nothing here prints. What explains runs the functions that decide in the workers
(`streams.identity`), over rows read from ClickHouse, so that an explanation cannot differ from the rule. Rules:
docs/identity.md; how to read it all: docs/identity-support.md.
"""
