"""Images that were made elsewhere become a run of the lake, written as any other run is."""
