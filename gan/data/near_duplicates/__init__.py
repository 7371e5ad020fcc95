"""Images that are nearly equal: small pictures, an index of them, and from which distance on two are no chance."""
