"""What a token says: the strict reader, the registered claims and typed private claims."""
