"""How much chipmark itself costs. Times are compared within one run, interleaved, as ratios."""
