"""Tells people about alerts: at least once, in order for each broken thing, with a key by which a receiver
drops repetitions.

decide -> should somebody be told, and why (pure)       outbox   -> what is to be sent, on disk
message -> what is sent, and its signature (pure)       webhook  -> one attempt to send it
notifier -> Kafka to outbox                             sender   -> outbox to webhook
"""
