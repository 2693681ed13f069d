"""`mintkey demo`: the library's main promises, kept and checked in front of your eyes."""

__all__: list[str] = []
