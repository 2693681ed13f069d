"""`mintkey doctor`: looks at everything, changes nothing, and says what to do."""

__all__: list[str] = []
