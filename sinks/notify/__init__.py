"""Tells people about alerts: at least once, in order for each broken thing, with a key by which a receiver
drops repetitions.

decide    -> should somebody be told, and why (pure)      routing  -> who, by which route
quiet, windows, flap -> what holds back, until when (pure)
incident  -> what is broken for how many (pure)           rate     -> how much at once (pure)
message, wording, slack, alertmanager -> what is sent (pure)
database, outbox, intake, incidents, board, silences, flaps -> what is to be sent, was told, is open and held, on disk
older_files -> what makes a file of a former version one of this
notifier  -> Kafka to outbox                              post     -> one attempt to send
sender    -> outbox to webhook and Slack                  reporter -> open incidents to Alertmanager
server, api, forms, desk, acknowledge -> what people ask and say, over HTTP
"""
