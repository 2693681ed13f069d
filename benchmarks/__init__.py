"""Questions of speed and cost, one module each, answered by measuring side by side."""
