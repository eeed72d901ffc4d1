"""A real site: what its file says, the directory that goes there, and the record that comes home."""
