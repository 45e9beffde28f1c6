"""The rules of events: what can happen, in which shape it is told, and which filters it passes."""
