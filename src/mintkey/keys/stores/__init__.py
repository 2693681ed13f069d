"""Where key rings live: one `KeyRingStore` a file."""
