"""What tenants may have: by their plan, and by what operators grant beyond it."""
