"""What an operator can set, in variables that mean the same to applications and to the command line.

| module | what it knows |
|---|---|
| `table` | every setting: its name, what its text means, how it is shown |
| `lookup` | where a value comes from: an option, `MINTKEY_<NAME>`, or the file that `MINTKEY_<NAME>_FILE` names |
| `contradictions` | which settings do not go together |
| `spelling` | which variables were probably meant to be settings |
| `fixed_keys` | the provider of keys that their operator rotates |
| `texts` | how a text is read, and a value shown |
| `durations`, `redaction` | texts that people write, and texts that may be shown |
"""

__all__: list[str] = []
