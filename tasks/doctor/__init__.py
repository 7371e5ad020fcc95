"""What a training would stand on, looked at before it: this machine, its services, and each node of a Ray cluster."""
