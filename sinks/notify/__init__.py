"""Tells people about alerts: at least once, in order for each broken thing, with a key by which a receiver
drops repetitions.

decide    -> should somebody be told, and why (pure)      routing  -> who, by which route
incident  -> what is broken for how many (pure)           rate     -> how much at once (pure)
message, wording, slack, alertmanager -> what is sent (pure)
database, outbox, incidents -> what is to be sent and what was told, on disk
notifier  -> Kafka to outbox                              post     -> one attempt to send
sender    -> outbox to webhook and Slack                  reporter -> open incidents to Alertmanager
"""
