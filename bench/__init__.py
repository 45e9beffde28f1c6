"""Side-by-side benchmarks: ours, a peer and the limit in one run; budgets of sizes and counts."""
