"""Who holds private keys: one `KeyCustodian` a file."""
