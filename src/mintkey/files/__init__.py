"""Files that nobody else may read: what everything that keeps secrets on disk shares."""
