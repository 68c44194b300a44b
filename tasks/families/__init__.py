"""Families of diffusion models: one file each, found by the pipeline class that `model_index.json` names."""
