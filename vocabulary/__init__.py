"""Plain data that all other packages share: errors. Imports nothing heavy."""
