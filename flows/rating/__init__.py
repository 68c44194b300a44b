"""The page on which people rate a run's samples without knowing which cell made them."""
