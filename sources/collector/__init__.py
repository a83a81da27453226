"""The collector: the HTTP front door of `touchpoints.raw`. 200 means that Kafka has it."""
