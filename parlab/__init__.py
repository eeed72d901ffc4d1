"""The instrument: what labs import in the nodes, and what predicts, runs, measures and judges them on the host."""

__version__ = "0.1.0"
