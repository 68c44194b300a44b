"""The exact scorer of scenes: pixels -> objects -> facts -> scores."""
