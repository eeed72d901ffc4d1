"""How a case would scale on more nodes than there are, from what its spans cost on few."""
