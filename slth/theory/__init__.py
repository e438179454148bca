"""What is proved and what is predicted about random subset sums and tickets, as functions and bound objects."""
