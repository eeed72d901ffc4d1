"""One invocation: a request and a lab become a Run."""
