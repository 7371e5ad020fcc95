"""What drills of faults share: commands that are killed, clusters that lose parts, and a ledger of what was trained."""
