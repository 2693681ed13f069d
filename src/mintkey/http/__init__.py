"""HTTP as our clients use it: small requests, small answers, and a limit on everything."""
