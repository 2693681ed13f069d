"""What FastAPI and Starlette share, all of it on Starlette. Nothing here is public.

```
fastapi · starlette            what applications import
      │
magic_link                     the page behind a link, and what its button does
      │
pages · same_browser · jwks_endpoint · guard
      │
refusing · state · forms       an answer becomes a response · where the service is · a small form, read to a limit
      │
bearer · cookies               without a framework
```
"""

from mintkey.errors import MissingExtraError

try:
    import starlette as _starlette
except ImportError as _error:
    raise MissingExtraError("web applications need Starlette: pip install 'mintkey[fastapi]'") from _error

__all__: list[str] = []

del _starlette
