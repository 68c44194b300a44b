"""Whether a sound has the events that its prompt states, read off the waveform."""
