"""What people read: pages, Prefect's artifacts, cards; names of any make are inert in all of them."""
