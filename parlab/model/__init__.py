"""Frozen values that everybody shares: cases, specs, spans, readings, messages. No behaviour of the world."""
