"""The words of the sounds, and the numbers behind them."""

RATE = 8000
"""Samples a second."""

SAMPLES = 8192
"""Length of a sound: 1.024 seconds."""

PITCHES: dict[str, tuple[float, float]] = {"low": (180.0, 220.0), "middle": (450.0, 550.0), "high": (1130.0, 1375.0)}
"""Range of the fundamental frequency in Hz; of a sweep, its geometric middle."""

TIMBRES = ("pure", "buzzy")
"""A sine, and a sawtooth without the harmonics above 4 kHz."""

LOUDNESS: dict[str, float] = {"quiet": 0.06, "loud": 0.3}
"""Root mean square of the loudest 16 ms, full scale 1."""

TONAL = ("tone", "rising sweep", "falling sweep")
"""Kinds of events that have a pitch and a timbre."""

KINDS = (*TONAL, "noise burst", "click")

SWEEP = 1.4
"""A sweep goes from its middle divided by this factor to its middle times it, or back: about an octave."""

SECONDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(TONAL, (0.16, 0.26)),
    "noise burst": (0.12, 0.22),
    "click": (0.02, 0.02),
}
"""Range of the duration of each kind."""

GAP = 0.08
"""Least silence between two events in seconds."""

MARGIN = 0.02
"""Least silence before the first event and after the last one in seconds."""
