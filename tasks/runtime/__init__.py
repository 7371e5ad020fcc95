"""What every step stands on: settings, locks, scratch folders, retries, Ray, and how a command ends."""
