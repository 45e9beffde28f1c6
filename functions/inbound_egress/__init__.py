"""Fetches what deliveries are believed by: certificates of SNS, keys of Google. Confirms subscriptions of SNS."""
