"""The units that flows run."""
