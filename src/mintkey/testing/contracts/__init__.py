"""Contract suites: subclass one, give it a harness, and every promise is tested against your backend."""
