"""The verdict on a run: four answers, one of them about noise on the host."""
