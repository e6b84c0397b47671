"""What is learnt from many places at once, and carried to where nothing was measured."""
