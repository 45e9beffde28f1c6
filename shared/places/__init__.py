"""Where an organization is and how it looks: its settings, its branding, and the hosts it is found at."""
