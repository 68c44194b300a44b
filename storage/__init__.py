"""The Parquet lake: parts and receipts written by workers, a manifest by the driver.

Readers may rely on three facts: a run's manifest names every part, a named part never changes, and a partial write is
never visible.
"""
