"""The names that organizations have on the internet: slugs, which are labels of subdomains, and hosts."""
