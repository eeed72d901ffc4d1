"""One invocation: from a request and a lab to a Run."""
