"""Code that runs inside a worker: the virtual core, the recorder of spans, phases, metrics, run-queue delay."""
