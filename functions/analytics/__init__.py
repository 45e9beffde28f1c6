"""What was measured in stores: metrics, occupancy, quality, receipts, and what is wanted of them: targets, alerts."""
