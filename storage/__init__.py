"""The Parquet lake: parts and receipts written by workers, a manifest by the driver.

What a reader may rely on: the manifest of a run names every part, a part that is named never changes, and what is being
written is never seen half.
"""
