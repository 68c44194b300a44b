"""The contract, declarations and registry of scorers, and their shared parts."""
