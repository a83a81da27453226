"""From Kafka to ClickHouse, each record once; tables, views and their migrations.

protocol -> what is committed when (pure)       statements, view_builder, catalogue_views -> SQL as text (pure)
rows     -> a record as rows (pure)             migrate -> brings a database to this version
batch    -> a range of records as rows (pure)   store   -> inserts under a token
lane     -> one partition on its way            loader  -> the loop, for all partitions
"""
