"""The pure core of the journeys: what a definition means, touchpoint by touchpoint (docs/journeys.md)."""
