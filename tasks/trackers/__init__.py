"""Trackers of experiments to which a finished run can be sent, one file each. Their packages are extras."""
