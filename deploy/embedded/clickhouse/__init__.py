"""The real ClickHouse engine in one process that speaks the ClickHouse HTTP protocol.

From outside use `launch` and `credentials` only; every client of ClickHouse then connects as to a server.

request  -> one HTTP request as a value (pure)          syntax  -> tokens and tree of a statement (pure)
gate     -> may this user run this statement (pure)     formats -> what a reply in a format looks like (pure)
framing  -> ClickHouse's compressed blocks (pure)       engine  -> the engine, a fresh connection per statement
server   -> HTTP around all of these                    launch  -> start, find and stop it from another process
"""
