"""Foreign bytes for every parser that reads some: what they begin as, what happens to them, and who reads them."""
