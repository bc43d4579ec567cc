"""Live traffic: counted, watched, judged, and put back."""
