"""The code that runs on the nodes: the launcher, on the head, and each rank's steps before and after the lab's code."""
