"""What runs in the nodes: the launcher on the head, and what each rank does before and after the lab's own code."""
