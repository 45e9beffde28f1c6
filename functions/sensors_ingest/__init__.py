"""The door of devices: sensors' counts and tills' transactions."""
