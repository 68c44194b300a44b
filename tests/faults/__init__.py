"""The fault campaign: a run is disturbed at a random moment, resumed by the same command, and compared row for row."""
