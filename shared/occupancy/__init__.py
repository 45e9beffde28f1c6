"""Who is inside, corrected for what counters miss, and how many may be."""
