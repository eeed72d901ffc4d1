"""What a person sees in a terminal, while a lab runs and after."""
