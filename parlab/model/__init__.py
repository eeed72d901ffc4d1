"""Frozen values shared by everybody: cases, specs, spans, readings, messages. They have no side effects."""
