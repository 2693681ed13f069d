"""The command line, `mintkey`: keys, tokens, the public key set, a doctor and a demonstration.

Results go to stdout, everything else to stderr. `--json` after a command makes both of them JSON: the result as one
line on stdout (one for each token of `token mint --count`), an error as one line `{"error": {"reason": …, "message": …,
"retryable": …}}` on stderr; questions are not asked and bars are not drawn then.

`mintkey --install-completion` has the shell complete commands, options, presets and the kids of the ring.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the token was refused, or the demonstration found a promise broken |
| 2 | usage or configuration is wrong, a missing extra included |
| 3 | a backend (store, file system) did not do its part, or the doctor found a check that fails |
| 130, 141 | interrupted; nobody reads the output any more |
"""

__all__: list[str] = []
