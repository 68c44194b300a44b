"""What a third party adds to skewbench, one file each."""
