"""Images that were made elsewhere become a run of the lake: found, labelled, checked, and written as any other run is."""
